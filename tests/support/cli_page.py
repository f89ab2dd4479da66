"""Keep the tables of ``training/docs/cli.md`` equal to the commands' own parameters.

    PYTHONPATH=tests python -m support.cli_page

rewrites the tables in place. Headings and prose are written by hand.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click

from shelfrank_training.cli.main import root
from support.markdown import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = REPOSITORY / "training/docs/cli.md"

_SECTION: Final = re.compile(r"^#+ `(?P<usage>shelfrank[^`]*)`$", re.MULTILINE)
_TABLE: Final = re.compile(r"(?:^\|.*\|\n)+", re.MULTILINE)
_HEADER: Final = "| Option | Default | |\n|---|---|---|\n"


def usages() -> dict[str, list[click.Option]]:
    """Return every command as a reader types it, arguments included, and its options."""
    return dict(_walk("shelfrank", root))


def headings(text: str) -> list[str]:
    """Return the usages that a page has sections for."""
    return [section["usage"] for section in _SECTION.finditer(text)]


def rewritten(text: str) -> str:
    """Return a page with the tables that its sections should have."""
    known = usages()
    pieces = _SECTION.split(text)
    # split() gives: text before the first section, then usage, section, usage, section, …
    done = [pieces[0]]
    marks = [match[0] for match in _SECTION.finditer(text)]
    for mark, usage, section in zip(marks, pieces[1::2], pieces[2::2], strict=True):
        done += [mark, _with_table(section, known.get(usage, []))]
    return "".join(done)


def _walk(usage: str, command: click.Command) -> Iterator[tuple[str, list[click.Option]]]:
    context = click.Context(command)
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option)]
    if not isinstance(command, click.Group):
        yield " ".join([usage, *(str(p.name).upper() for p in arguments)]), options
        return
    if options:
        yield usage, options
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is None:
            raise LookupError(f"{usage} lists {name} and has none")
        yield from _walk(f"{usage} {name}", found)


def _with_table(section: str, options: list[click.Option]) -> str:
    table = _HEADER + "".join(_row(option) for option in options) if options else ""
    if _TABLE.search(section) is None:
        return f"{section.rstrip()}\n\n{table}\n" if table else section
    return _TABLE.sub(lambda _: table, section, count=1)


def _row(option: click.Option) -> str:
    name = ", ".join(option.opts)
    if not option.is_flag:
        name += f" {_placeholder(option)}"
    help_text = (option.help or "").replace("|", "\\|")
    return f"| `{name}` | {_default(option)} | {help_text} |\n"


def _placeholder(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        # A pipe would end the table's cell.
        return "/".join(str(choice) for choice in option.type.choices)
    return option.type.name.upper().replace("INTEGER RANGE", "N").replace("FLOAT RANGE", "SHARE")


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    default = option.to_info_dict()["default"]
    if option.is_flag or option.multiple or default is None or not str(default).strip():
        return ""
    return f"`{default}`"


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
