"""A report as one HTML file: nothing is fetched, nothing runs, everything is escaped.

write_report(path, [Section("Size", [Prose("The bundle weighs 0.6 MB.")])], title="Model of June")
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib import resources
from itertools import count
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from shelfrank_training.errors import DataError
from shelfrank_training.evaluate.panel import to_svg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

# Only what is in the file may be shown: a slip that would fetch or run something fails in the
# browser.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph.

    Attributes:
        text: plain.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Caution:
    """Something that the reader must not miss.

    Attributes:
        text: plain.
        mark: the word before it, in the language of the page.
    """

    text: str
    mark: str = "Note."


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One number that is read first.

    Attributes:
        value: as written.
        label: what it is.
        note: what it must be read with.
    """

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """A strip of numbers, the most important first.

    Attributes:
        figures: three or four.
    """

    figures: Sequence[KeyFigure]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values.

    Attributes:
        rows: (name, value).
    """

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a header.

    Attributes:
        columns: the header.
        rows: as many cells each; the first names the row.
        caption: what the numbers mean and must be read with.
        align: ``l`` or ``r`` for each column; empty: the first left, the others right.
        strong: the row in the accent colour, counted from 0, or None.
        strong_column: the column in the accent colour, or None.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    align: str = ""
    strong: int | None = None
    strong_column: int | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture.

    Attributes:
        figure: a matplotlib figure; the colours of `panel` follow the page.
        alt: what it shows, for those who cannot see it.
    """

    figure: Figure
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawings:
    """Pictures that belong together, side by side where the screen is wide enough.

    Attributes:
        panels: at least one.
        caption: what they show and must be read with.
    """

    panels: Sequence[Drawing]
    caption: str


Block: TypeAlias = Prose | Caution | KeyFigures | Facts | Table | Drawings


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report.

    Attributes:
        heading: plain; empty for none (a strip of numbers right below the title).
        blocks: in reading order.
    """

    heading: str
    blocks: Sequence[Block]


def write_report(
    path: Path,
    sections: Sequence[Section],
    *,
    title: str,
    lead: str = "",
    foot: str = "",
    language: str = "en",
) -> None:
    """Write a report.

    Args:
        path: an existing file is replaced in one step, so there is never half a report.
        sections: in reading order.
        title: of the page.
        lead: one or two sentences below it.
        foot: one line at the end.
        language: of the page, for those who have it read to them.

    Raises:
        DataError: the file cannot be written.
    """
    text = render(sections, title=title, lead=lead, foot=foot, language=language)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DataError(f"the report cannot be written to {path} ({error.strerror})") from None


def render(
    sections: Sequence[Section],
    *,
    title: str,
    lead: str = "",
    foot: str = "",
    language: str = "en",
) -> str:
    """Return the report as HTML (see `write_report`); the same sections give the same text."""
    style = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    ids = count(1)
    body = "\n".join(_section(section, ids) for section in sections)
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escape(title)}</h1>\n{_optional('p', lead, 'lead')}</header>\n"
        f"<main>\n{body}\n</main>\n{_optional('footer', foot, 'note')}</body>\n</html>\n"
    )


def _section(section: Section, ids: Iterator[int]) -> str:
    blocks = "\n".join(_block(block, ids) for block in section.blocks)
    if not section.heading:
        return blocks
    return f"<section>\n<h2>{escape(section.heading)}</h2>\n{blocks}\n</section>"


def _block(block: Block, ids: Iterator[int]) -> str:
    match block:
        case Prose(text):
            return f"<p>{escape(text)}</p>"
        case Caution(text, mark):
            return f'<p class="caution"><strong>{escape(mark)}</strong> {escape(text)}</p>'
        case KeyFigures(figures):
            return _key(figures)
        case Facts(rows):
            pairs = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
            return f"<dl>{''.join(pairs)}</dl>"
        case Table():
            return _table(block)
        case Drawings():
            return _drawings(block, ids)
        case _:
            assert_never(block)


def _key(figures: Sequence[KeyFigure]) -> str:
    items = (
        f"<li><b>{escape(figure.value)}</b><span>{escape(figure.label)}</span>{escape(figure.note)}</li>"
        for figure in figures
    )
    return f'<ul class="key">{"".join(items)}</ul>'


def _table(table: Table) -> str:
    align = table.align or "l" + "r" * (len(table.columns) - 1)
    marks = [_mark(side == "r", at == table.strong_column) for at, side in enumerate(align)]
    head = "".join(
        f'<th scope="col"{mark}>{escape(name)}</th>'
        for mark, name in zip(marks, table.columns, strict=True)
    )
    rows = []
    for number, row in enumerate(table.rows):
        first, *others = zip(marks, row, strict=True)
        cells = "".join(f"<td{mark}>{escape(cell)}</td>" for mark, cell in others)
        strong = ' class="strong"' if number == table.strong else ""
        rows.append(f'<tr{strong}><th scope="row"{first[0]}>{escape(first[1])}</th>{cells}</tr>')
    # A wide table scrolls by itself, also by keyboard; the page never does sideways.
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="table"><table>'
        f"<caption>{escape(table.caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _mark(right: bool, strong: bool) -> str:
    names = ["r"] * right + ["strong"] * strong
    return f' class="{" ".join(names)}"' if names else ""


def _drawings(drawings: Drawings, ids: Iterator[int]) -> str:
    panels = (
        f'<div role="img" aria-label="{escape(panel.alt)}">'
        f"{to_svg(panel.figure, prefix=f'd{next(ids)}')}</div>"
        for panel in drawings.panels
    )
    # Two or four panels stand in pairs; three columns would leave one alone.
    pairs = " pairs" if len(drawings.panels) in {2, 4} else ""
    return (
        f'<figure><div class="panels{pairs}">{"".join(panels)}</div>'
        f"<figcaption>{escape(drawings.caption)}</figcaption></figure>"
    )


def _optional(tag: str, text: str, mark: str) -> str:
    return f'<{tag} class="{mark}">{escape(text)}</{tag}>\n' if text else ""
