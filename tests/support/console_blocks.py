"""Find what a console block on a page asks its reader to run, and whether that exists."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
import shutil
import tomllib
from typing import TYPE_CHECKING, Final

import click

from shelfrank_training.cli.main import root
from support.markdown import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# What shells and other projects have; nothing of ours to check.
_OTHERS: Final = frozenset(
    {"cd", "export", "source", ".", "mkdir", "cat", "ls", "git", "echo", "uv", "pytest"}
)
_SEPARATORS: Final = frozenset({"&&", "||", "|", ";"})
_ENVIRONMENT: Final = re.compile(r"^(\./)?\.venv[\w.-]*/bin/")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=.*")


def commands(code: str) -> Iterator[list[str]]:
    """Yield the commands of a console block as words.

    With ``$ `` before any line, the lines without it are output. Lines that end with a backslash go
    on; comments and redirections are left out.
    """
    lines = code.replace("\\\n", " ").splitlines()
    if any(line.startswith("$ ") for line in lines):
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if word in _SEPARATORS:
                yield from [words] if words else []
                words = []
            elif words or not _ASSIGNMENT.fullmatch(word):
                words.append(word)
        if words:
            yield words


def problem(words: Sequence[str]) -> str | None:
    """Return what is wrong with a command, or None."""
    name, *arguments = words
    # The reader has just made that environment; here it has another name.
    name = _ENVIRONMENT.sub("", name)
    if name in _OTHERS:
        return None
    check = _CHECKS.get(name)
    if check is not None:
        return check(arguments)
    if "/" in name:
        return None if (REPOSITORY / name).is_file() else f"there is no file {name}"
    return None if shutil.which(name) else f"there is no command {name}"


def _check_shelfrank(arguments: Sequence[str]) -> str | None:
    command: click.Command = root
    context = click.Context(root)
    place = "shelfrank"
    rest = list(arguments)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        found = command.get_command(context, name)
        if found is None:
            return f"{place} has no command {name}"
        command, place = found, f"{place} {name}"
    known = {option for parameter in command.get_params(context) for option in parameter.opts}
    asked = {word.partition("=")[0] for word in rest if word.startswith("-") and word != "-"}
    unknown = sorted(asked - known)
    return f"{place} has no option {', '.join(unknown)}" if unknown else None


def _check_python(arguments: Sequence[str]) -> str | None:
    if not arguments:
        return None
    if arguments[0] == "-m":
        return _check_module(arguments[1], arguments[2:])
    if arguments[0].startswith("-"):
        return None
    return None if (REPOSITORY / arguments[0]).is_file() else f"there is no file {arguments[0]}"


def _check_module(module: str, arguments: Sequence[str]) -> str | None:
    if module == "pip":
        return _check_pip(arguments)
    spec = importlib.util.find_spec(module)
    if spec is None:
        return f"there is no module {module}"
    is_package = spec.submodule_search_locations is not None
    runs = not is_package or importlib.util.find_spec(f"{module}.__main__") is not None
    return None if runs else f"python -m {module} runs nothing"


def _check_pip(arguments: Sequence[str]) -> str | None:
    """Check that extras, groups and requirement files that are named exist."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    extras = {
        extra.strip()
        for word in arguments
        for names in re.findall(r"\[([\w, -]+)\]", word)
        for extra in names.split(",")
    }
    unknown = sorted(extras - set(project["project"]["optional-dependencies"]))
    if unknown:
        return f"there is no extra {', '.join(unknown)}"
    for option, value in itertools.pairwise(arguments):
        if option in {"-r", "--requirement", "-c"} and not (REPOSITORY / value).is_file():
            return f"there is no file {value}"
        if option == "--group" and value not in project["dependency-groups"]:
            return f"there is no dependency group {value}"
    return None


def _check_script(arguments: Sequence[str]) -> str | None:
    return None if (REPOSITORY / arguments[0]).is_file() else f"there is no file {arguments[0]}"


_CHECKS: Final[dict[str, Callable[[Sequence[str]], str | None]]] = {
    "shelfrank": _check_shelfrank,
    "python": _check_python,
    "python3": _check_python,
    "python3.11": _check_python,
    "pip": _check_pip,
    "sh": _check_script,
}
