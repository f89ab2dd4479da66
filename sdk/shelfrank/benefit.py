"""What personalisation did for this shopper, worked out on the device, honestly. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from shelfrank.ranking.ranker import Ranker
    from shelfrank.types import Event, Language

MOST_PURCHASES: Final = 20
"""Newest purchases that are looked at: two rankings of the catalog each, so under a second."""

FEWEST_PURCHASES: Final = 5
"""Below this the figures say more about chance than about the ranking: then none is given."""

_TEXTS: Final[dict[Language, str]] = {
    "de": (
        "Von Ihren letzten {n} Einkäufen standen {own} unter den ersten {k} Ihrer Reihenfolge; "
        "in der Reihenfolge, die alle sehen, wären es {everybody} gewesen. "
        "Mittlerer Platz: {own_place} statt {everybody_place}."
    ),
    "nl": (
        "Van je laatste {n} aankopen stonden er {own} bij de eerste {k} van jouw volgorde; "
        "in de volgorde die iedereen ziet zouden het er {everybody} zijn geweest. "
        "Middelste plaats: {own_place} in plaats van {everybody_place}."
    ),
    "en": (
        "Of your last {n} purchases, {own} were among the first {k} of your order; "
        "in the order everybody sees it would have been {everybody}. "
        "Middle place: {own_place} instead of {everybody_place}."
    ),
}

_TOO_FEW: Final[dict[Language, str]] = {
    "de": "Dafür sind es noch zu wenige Einkäufe.",
    "nl": "Daarvoor zijn het nog te weinig aankopen.",
    "en": "There are too few purchases yet to tell.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """Where what the shopper bought stood just before, in their own order and in everybody's.

    Attributes:
        purchases: how many were looked at, the newest; 0 when there are too few to tell.
        k: length of the list that "among the first" is about.
        own: how many stood among the first k with the history before them.
        everybody: how many would have without it.
        own_place: median place with the history, 1 = first; 0 without purchases.
        everybody_place: median place without it.
    """

    purchases: int
    k: int
    own: int
    everybody: int
    own_place: float
    everybody_place: float

    def __repr__(self) -> str:
        """Say the number only."""
        return f"<Benefit of {self.purchases} purchases>"

    @property
    def helped(self) -> bool:
        """Whether what was bought stood further up than it would have; False when too few."""
        return self.own_place < self.everybody_place

    def as_text(self, language: Language) -> str:
        """Say it in words, whether it helped or not.

        Raises:
            ValueError: a language that is not there.
        """
        if language not in _TEXTS:
            raise ValueError(f"language is {language!a}, wanted one of {', '.join(sorted(_TEXTS))}")
        if not self.purchases:
            return _TOO_FEW[language]
        return _TEXTS[language].format(
            n=self.purchases,
            k=self.k,
            own=self.own,
            everybody=self.everybody,
            own_place=f"{self.own_place:g}",
            everybody_place=f"{self.everybody_place:g}",
        )


NOTHING_TO_TELL: Final = Benefit(
    purchases=0, k=0, own=0, everybody=0, own_place=0.0, everybody_place=0.0
)
"""Too few purchases, or none that may be used."""


def benefit_of(ranker: Ranker, events: Sequence[Event], *, k: int) -> Benefit:
    """Rank again as it was before each of the newest purchases, with the history and without.

    Nothing has to be remembered for it, and nothing is. Every purchase counts, also of what was
    bought before; it is asked at the start of a visit, from the visits before.

    Args:
        ranker: of the bundle that is served now, not of the one that was then.
        events: that may be used, oldest first.
        k: at least 1.
    """
    bought = [event for event in events if event.kind == "purchase"]
    known = [event for event in bought if ranker.catalog.index_of(event.item_id) is not None]
    asked = known[-MOST_PURCHASES:]
    if len(asked) < FEWEST_PURCHASES:
        return NOTHING_TO_TELL
    pairs = [_places(ranker, events, event) for event in asked]
    own, everybody = zip(*pairs, strict=True)
    return Benefit(
        purchases=len(asked),
        k=k,
        own=sum(place <= k for place in own),
        everybody=sum(place <= k for place in everybody),
        own_place=float(median(own)),
        everybody_place=float(median(everybody)),
    )


def _places(ranker: Ranker, events: Sequence[Event], target: Event) -> tuple[int, int]:
    before = [event for event in events if event.visit < target.visit]
    return _place(ranker, before, target, now=target.time), _place(
        ranker, (), target, now=target.time
    )


def _place(ranker: Ranker, events: Sequence[Event], target: Event, *, now: datetime) -> int:
    score = ranker.scores(events, now=now, in_visit=False).score
    row = ranker.catalog.index_of(target.item_id)
    # Of equal scores half stand before: neither luck nor order is claimed.
    ahead = int(np.count_nonzero(score > score[row]))
    ties = int(np.count_nonzero(score == score[row])) - 1
    return 1 + ahead + ties // 2
