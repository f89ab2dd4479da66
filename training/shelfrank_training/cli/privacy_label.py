"""``shelfrank privacy label``: a label for people, as data, as a page, and against another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shelfrank.types import LANGUAGES, Language
from shelfrank_training.cli import console
from shelfrank_training.cli.bundle import Time
from shelfrank_training.cli.options import clock_time

if TYPE_CHECKING:
    from datetime import datetime

    from shelfrank_training.publish.label_source import FoundLabel
    from shelfrank_training.publish.label_view import Change

_SOURCE = click.Path(exists=True, path_type=Path)


@click.command("label")
@click.argument("source", type=_SOURCE)
@click.option(
    "--language", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Of the text."
)
@click.option("--diff", "other", type=_SOURCE, help="An older one: say what has changed since.")
@click.option(
    "--trust",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The application's root.json: verify the bundles first.",
)
@click.option("--at", type=Time(), help="Verify as of this moment. Default: now.")
@click.option("--html", type=click.Path(path_type=Path), help="Write one HTML file.")
@click.option("--json", "as_json", is_flag=True, help="Write it to stdout.")
def command(
    source: Path,
    language: Language,
    other: Path | None,
    trust: Path | None,
    at: datetime | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Show the privacy label of SOURCE: a bundle, a model folder, or aggregates.

    Without --trust a bundle's label is shown as it stands, and nobody vouches for it.
    """
    from shelfrank_training.publish.label_source import read_label

    now = at or clock_time()
    found = read_label(source, trust=trust, now=now)
    older = None if other is None else read_label(other, trust=trust, now=now)
    if html is not None:
        from shelfrank_training.publish.label_page import write_label_page

        write_label_page(html, found, language)
    if as_json:
        console.emit_json(_as_json(found, older, language))
    elif older is None:
        _show(found, language)
    else:
        _show_changes(older, found, language)
    if html is not None:
        console.say(f"page in {html}")


def _show(found: FoundLabel, language: Language) -> None:
    from shelfrank_training.publish.label_view import fact_rows, table_rows

    _tell(found, language)
    facts = [_cells(row) for row in fact_rows(found.label.raw)]
    console.table("everything it states", ("what", "value"), facts, text=("value",))
    columns, tables = table_rows(found.label.raw)
    console.table("what was learned from", columns, map(_cells, tables))


def _tell(found: FoundLabel, language: Language) -> None:
    """Write the five lines and the warnings: what a customer reads."""
    from shelfrank.bundle.label_truth import LEVELS
    from shelfrank.bundle.label_words import WARNINGS, lines
    from shelfrank_training.publish.printable import printable

    _write(f"{found.title} ({found.standing})", style="bold")
    for line in lines(found.label, language):
        console.say(f"{line.heading}: {printable(line.text)}")
    for code in found.label.warnings:
        red = LEVELS[code] == "red"
        _write(f"! {WARNINGS[code][language]}", style="bold red" if red else "yellow")


def _show_changes(older: FoundLabel, found: FoundLabel, language: Language) -> None:
    from shelfrank_training.publish.label_view import changed_lines, changes, worth_showing
    from shelfrank_training.publish.printable import printable

    console.say(f"from {older.title} ({older.standing}) to {found.title} ({found.standing})")
    for heading, before, after in changed_lines(older.label, found.label, language):
        console.say(f"{heading}: {printable(before)} → {printable(after)}")
    differing = changes(older.label, found.label)
    if not differing:
        console.say("the two labels say the same")
        return
    columns = ("what", "before", "after", "protection")
    shown = [_change_row(change) for change in differing if worth_showing(change)]
    console.table("what has changed", columns, shown, text=columns)
    if len(shown) < len(differing):
        console.say(f"and {len(differing) - len(shown)} details of noise and words: --json has all")


def _change_row(change: Change) -> list[str]:
    from shelfrank_training.publish.printable import cell

    return [cell(change.what), cell(change.before), cell(change.after), change.protection or ""]


def _cells(row: tuple[str, ...]) -> list[str]:
    from shelfrank_training.publish.printable import cell

    return [cell(value) for value in row]


def _as_json(found: FoundLabel, older: FoundLabel | None, language: Language) -> dict[str, object]:
    from shelfrank.bundle.label_words import lines
    from shelfrank_training.publish.label_view import changes

    stated: dict[str, object] = {
        "of": found.kind,
        "verified": found.verified,
        "language": language,
        "lines": [line._asdict() for line in lines(found.label, language)],
        "label": found.label.raw,
    }
    if older is None:
        return stated
    differing = changes(older.label, found.label)
    return stated | {"changes": [change.to_json() for change in differing]}


def _write(text: str, *, style: str) -> None:
    console.stderr.print(text, style=style, markup=False)
