"""A label as one HTML page: five lines for the customer, everything for engineers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shelfrank.bundle.label_words import lines, warnings
from shelfrank_training.evaluate.report import Caution, Facts, Section, Table, render, write_report
from shelfrank_training.publish.label_view import fact_rows, table_rows
from shelfrank_training.publish.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shelfrank.types import Language
    from shelfrank_training.publish.label_source import FoundLabel

# The full table keeps the names of the file: engineers look them up there, in any language.
_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "de": {"title": "Datenschutz-Etikett", "note": "Achtung.", "full": "Alles, was es angibt",
           "tables": "Woraus gelernt wurde"},
    "nl": {"title": "Privacylabel", "note": "Let op.", "full": "Alles wat het vermeldt",
           "tables": "Waarvan geleerd is"},
    "en": {"title": "Privacy label", "note": "Note.", "full": "Everything it states",
           "tables": "What was learned from"},
}  # fmt: skip


def write_label_page(path: Path, found: FoundLabel, language: Language) -> None:
    """Write the page.

    Args:
        path: an existing file is replaced in one step.
        found: the label.
        language: de, nl or en.

    Raises:
        DataError: the file cannot be written.
    """
    write_report(
        path,
        _sections(found, language),
        title=_title(found, language),
        lead=found.standing,
        language=language,
    )


def label_page(found: FoundLabel, language: Language) -> str:
    """Return the page as HTML; the same label gives the same text."""
    return render(
        _sections(found, language),
        title=_title(found, language),
        lead=found.standing,
        language=language,
    )


def _title(found: FoundLabel, language: Language) -> str:
    return f"{_WORDS[language]['title']}: {found.title}"


def _sections(found: FoundLabel, language: Language) -> list[Section]:
    words, label = _WORDS[language], found.label
    short = [(line.heading, printable(line.text)) for line in lines(label, language)]
    cautions = [Caution(text, words["note"]) for text in warnings(label, language)]
    columns, rows = table_rows(label.raw)
    table = Table(
        columns=columns,
        rows=rows,
        caption="shoppers: behind every number at least; per shopper: rows that one can change"
        + ("; noise: standard deviation, in shoppers" if label.epsilon is not None else ""),
    )
    return [
        Section("", [Facts(short), *cautions]),
        Section(words["tables"], [table]),
        Section(words["full"], [Facts(fact_rows(label.raw))]),
    ]
