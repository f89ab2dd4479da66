"""Read the repository's Markdown pages: fenced blocks, links, headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY: Final = Path(__file__).resolve().parents[2]

_FENCE: Final = re.compile(r"^(?P<indent> *)(?P<marks>`{3,}|~{3,})(?P<language>[\w+-]*)")
_NOT_RUN: Final = re.compile(r"<!-- *shown, not run: *(?P<reason>\S.*?) *-->")
_LINK: Final = re.compile(r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\((?P<target>[^()\s]+)\)")
_HEADING: Final = re.compile(r"^#{1,6} +(?P<text>.*?) *#*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block.

    Attributes:
        page: where it stands.
        line: of its first line of code, from 1.
        language: behind the fence; may be empty.
        code: without the fence.
        not_run: the reason of ``<!-- shown, not run: REASON -->`` right above, or None.
    """

    page: Path
    line: int
    language: str
    code: str
    not_run: str | None

    @property
    def place(self) -> str:
        """Where to look for it."""
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


def pages() -> list[Path]:
    """Return every Markdown page of the project, none of what tools leave behind."""
    skipped = {"build", "dist", "demo-out", "node_modules"}
    found = (
        path
        for path in REPOSITORY.rglob("*.md")
        if not any(
            part.startswith(".") or part in skipped for part in path.relative_to(REPOSITORY).parts
        )
    )
    return sorted(found)


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    above = ""
    number = 0
    while number < len(lines):
        opening = _FENCE.match(lines[number])
        if opening is None:
            above = lines[number].strip() or above
            number += 1
            continue
        end = _closing(lines, number, opening["marks"])
        indent = len(opening["indent"])
        comment = _NOT_RUN.fullmatch(above)
        yield Block(
            page=page,
            line=number + 2,
            language=opening["language"],
            code="".join(f"{line[indent:]}\n" for line in lines[number + 1 : end]),
            not_run=None if comment is None else comment["reason"],
        )
        above = ""
        number = end + 1


def links(page: Path) -> Iterator[str]:
    """Yield the targets of all links and pictures outside code."""
    for line in _prose(page):
        for link in _LINK.finditer(re.sub(r"`[^`]*`", "", line)):
            yield link["target"]


def anchors(page: Path) -> set[str]:
    """Return what ``#…`` may point to on a page, as GitHub names headings."""
    found: set[str] = set()
    for line in _prose(page):
        heading = _HEADING.match(line)
        if heading is not None:
            slug = re.sub(r"[^\w\- ]", "", heading["text"].lower()).replace(" ", "-")
            count = sum(name == slug or name.startswith(f"{slug}-") for name in found)
            found.add(slug if slug not in found else f"{slug}-{count}")
    return found


def table_rows(page: Path) -> Iterator[list[str]]:
    """Yield the cells of every table row of a page, headers and rules left out."""
    lines = list(_prose(page))
    for number, line in enumerate(lines):
        is_rule = re.fullmatch(r"\|[-:| ]+\|", line) is not None
        is_header = number + 1 < len(lines) and re.fullmatch(r"\|[-:| ]+\|", lines[number + 1])
        if line.startswith("|") and not is_rule and not is_header:
            yield [cell.strip() for cell in line.strip("|").split("|")]


def _prose(page: Path) -> Iterator[str]:
    fence = ""
    for line in page.read_text(encoding="utf-8").splitlines():
        marks = _FENCE.match(line)
        if not fence and marks is not None:
            fence = marks["marks"]
        elif fence and line.strip() == fence:
            fence = ""
        elif not fence:
            yield line


def _closing(lines: list[str], opening: int, marks: str) -> int:
    for number in range(opening + 1, len(lines)):
        if lines[number].strip() == marks:
            return number
    raise AssertionError(f"the block that opens in line {opening + 1} never ends")
