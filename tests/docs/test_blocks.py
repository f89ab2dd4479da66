"""What a page shows works: README's Python is run, all other Python compiles, commands exist."""

from __future__ import annotations

import ast
import doctest
import gc
import linecache
import secrets

import pytest

from shelfrank import testing
from support.console_blocks import commands, problem
from support.markdown import REPOSITORY, blocks, pages

README = REPOSITORY / "README.md"
CONSOLE = {"console", "sh", "shell", "bash"}
ALL_BLOCKS = [block for page in pages() for block in blocks(page)]


def run(block, names):
    """Run a block in a namespace; one with ``>>>`` is a doctest."""
    where = f"<{block.place}>"
    if block.code.lstrip().startswith(">>> "):
        test = doctest.DocTestParser().get_doctest(
            block.code, names, block.place, where, block.line - 1
        )
        doctest.DebugRunner(optionflags=doctest.ELLIPSIS).run(test, clear_globs=False)
        names.update(test.globs)
        return
    # So that a traceback shows the line that failed.
    linecache.cache[where] = (len(block.code), None, block.code.splitlines(keepends=True), where)
    exec(compile(block.code, where, "exec"), names)  # noqa: S102 - our own page


def test_the_readmes_python_runs_in_order_in_one_namespace(tmp_path, monkeypatch):
    """Blocks find a bundle, its root and a key where an app would have its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("shop-14.shelfrank", "shop.shelfrank", "demo.shelfrank"):
        (tmp_path / name).write_bytes(testing.demo_bundle())
    (tmp_path / "root.json").write_bytes(testing.demo_root())
    (tmp_path / "policy.toml").write_bytes(testing.demo_policy())
    names: dict[str, object] = {"__name__": "readme", "secret": secrets.token_bytes(32)}

    python = [block for block in blocks(README) if block.language == "python"]
    for block in python:
        if block.not_run is None:
            run(block, names)

    # Devices the page left open are closed here, and whatever complains about it is heard here.
    names.clear()
    gc.collect()
    assert any(block.not_run is None for block in python), "README.md shows no Python that runs"


@pytest.mark.parametrize(
    "block",
    [block for block in ALL_BLOCKS if block.language == "python"],
    ids=lambda block: block.place,
)
def test_every_python_block_compiles(block):
    ast.parse(
        "\n".join(example.source for example in doctest.DocTestParser().get_examples(block.code))
        if block.code.lstrip().startswith(">>> ")
        else block.code
    )


@pytest.mark.parametrize(
    "block",
    [block for block in ALL_BLOCKS if block.language in CONSOLE],
    ids=lambda block: block.place,
)
def test_every_command_of_a_console_block_exists(block):
    found = list(commands(block.code))

    assert found
    assert [answer for words in found if (answer := problem(words))] == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("shelfrank train A B --out C", None),
        ("shelfrank bundle verify F --trust=R --json", None),
        ("python -m pytest -q", None),
        ("pip install 'shelfrank[training]'", None),
        ("python -m venv .venv && . .venv/bin/activate && pip install -e '.[demo]'", None),
        ("sh examples/train_on_your_data/train.sh shop", None),
        ("A=1 python examples/quickstart/quickstart.py > out.txt  # writes a file", None),
        (".venv-x/bin/shelfrank train A && uv sync", None),
        (".venv-x/bin/shelfrank guess", "shelfrank has no command guess"),
        ("shelfrank guess A", "shelfrank has no command guess"),
        ("shelfrank train A --quickly", "shelfrank train has no option --quickly"),
        ("shelfrank bundle forge", "shelfrank bundle has no command forge"),
        ("true && shelfrank guess", "shelfrank has no command guess"),
        ("python examples/none.py", "there is no file examples/none.py"),
        ("python -m nothing_like_it", "there is no module nothing_like_it"),
        ("python -m shelfrank.bundle", "python -m shelfrank.bundle runs nothing"),
        ("pip install 'shelfrank[magic]'", "there is no extra magic"),
        ("pip install --group none", "there is no dependency group none"),
        ("pip install -r none.lock", "there is no file none.lock"),
        ("nothing-like-it --help", "there is no command nothing-like-it"),
        (".ci/none", "there is no file .ci/none"),
    ],
)
def test_a_command_that_does_not_exist_is_found(line, said):
    found = [answer for words in commands(line) if (answer := problem(words))]

    assert found == ([] if said is None else [said])


def test_output_and_continued_lines_of_a_console_block_are_told_apart():
    block = "$ shelfrank train A B \\\n    --out C\nModel in C\n$ ls\n"

    assert list(commands(block)) == [["shelfrank", "train", "A", "B", "--out", "C"], ["ls"]]


def test_a_block_is_found_with_its_line_and_the_reason_not_to_run_it(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(
        "# T\n\n<!-- shown, not run: needs a kiosk -->\n```python\na\n```\ntext\n\n"
        "  ```console\n  ls\n  ```\n",
        encoding="utf-8",
    )
    monkeypatch.setattr("support.markdown.REPOSITORY", tmp_path)

    first, second = blocks(page)

    assert (first.place, first.code, first.not_run) == ("page.md:5", "a\n", "needs a kiosk")
    assert (second.language, second.code, second.not_run) == ("console", "ls\n", None)


def test_a_block_that_does_not_say_why_it_is_not_run_is_run(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- shown, not run: -->\n```python\na\n```\n", encoding="utf-8")

    (block,) = blocks(page)

    assert block.not_run is None


def test_names_live_from_block_to_block_in_either_style(tmp_path, monkeypatch):
    monkeypatch.setattr("support.markdown.REPOSITORY", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```python\na = 1\n```\n```python\n>>> a + 1\n2\n>>> b = 3\n```\n", "utf-8")
    names = {}

    for block in blocks(page):
        run(block, names)

    assert (names["a"], names["b"]) == (1, 3)


def test_a_wrong_answer_in_a_block_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("support.markdown.REPOSITORY", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```python\n>>> 1 + 1\n3\n```\n", encoding="utf-8")

    with pytest.raises(doctest.DocTestFailure):
        run(next(blocks(page)), {})
