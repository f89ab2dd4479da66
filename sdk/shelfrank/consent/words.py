"""Check and fill the texts a shopper reads: the numbers in them are those that are enforced."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from shelfrank.consent.purposes import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACEHOLDERS: Final = ("{retention_days}", "{validity_days}")

# What fits on a small screen and is read at all: privacy notices beyond a few lines are clicked
# away.
MAX_FIRST_LAYER_CHARS: Final = 280

_BRACE: Final = re.compile(r"[{}]")
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")


def fill(text: Text, *, retention_days: int, validity_days: int) -> Text:
    """Return `text` with the enforced numbers in place of the placeholders."""

    def filled(line: str) -> str:
        return line.replace("{retention_days}", str(retention_days)).replace(
            "{validity_days}", str(validity_days)
        )

    return Text(
        title=filled(text.title),
        short=filled(text.short),
        benefit=filled(text.benefit),
        without=filled(text.without),
    )


def length(text: Text) -> int:
    """Return the characters of the first layer: all four parts together."""
    return sum(len(line) for line in _lines(text))


def faults(text: Text, *, retention_days: int) -> Iterator[tuple[str, str]]:
    """Yield (what is wrong, what is wanted) for braces and numbers that would not be true.

    A number written out must be the retention in days: that one stays true when two policies are
    combined (the text of the shorter retention is shown). Any other number comes through a
    placeholder.
    """
    for line in _lines(text):
        bare = line
        for placeholder in PLACEHOLDERS:
            bare = bare.replace(placeholder, "")
        if _BRACE.search(bare):
            yield "an unknown placeholder", f"only {' and '.join(PLACEHOLDERS)}"
        for number in _NUMBER.findall(bare):
            if number != str(retention_days):
                yield (
                    f"the number {number!a}",
                    f"{retention_days}, the retention in days, or a placeholder",
                )


def _lines(text: Text) -> tuple[str, str, str, str]:
    return (text.title, text.short, text.benefit, text.without)
