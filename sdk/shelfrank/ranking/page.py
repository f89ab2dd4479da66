"""What a ranking call gives back: the same shape whether it is personal or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, overload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfrank.ranking.why import Audience
    from shelfrank.types import ItemId, Language

Mode = Literal["personal", "generic"]
"""``personal``: the shopper's history was used. ``generic``: everybody would see this
at this time of the day."""

ModeReason = Literal[
    "consent_given",
    "no_consent",
    "no_policy",
    "policy_older",
    "minor",
    "gpc",
    "paused",
    "clock",
    "no_history",
    "consent_changed",
    "history_unavailable",
    "runtime_unguarded",
    "model_failed",
    "no_bundle",
    "asked",
]
"""Why the mode is what it is.

``policy_older``, ``minor``, ``gpc``, ``paused`` and ``clock`` are those of
`shelfrank.types.Dropped`: there is a yes, and it does not count now.
"""

Rung = Literal["visit", "history", "popular", "caller_order"]
"""How far down the ladder the call had to go: the current visit, the history, what is popular, or
the order the candidates came in."""


class Explainer(Protocol):
    """Says on demand why a ranked item stands where it stands."""

    def why(self, row: int, *, language: Language, audience: Audience) -> str:
        """Return one sentence for the item at this place of the page."""
        ...

    def contributions(self, row: int) -> Mapping[ItemId, float]:
        """Return how much each past item added to the score of the item at this place."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedItem:
    """One item of a page.

    Attributes:
        item_id: the shop's key.
        score: higher is better; comparable inside one page only.
        parts: the score's additive pieces by name; they add up to the score within the tolerance of
            the bundle's manifest (0.0001). Empty without a model. ``preference`` is among them
            where the shopper asked for a brand or a category.
    """

    item_id: ItemId
    score: float
    parts: Mapping[str, float]
    _place: int = field(repr=False, compare=False)
    _explainer: Explainer = field(repr=False, compare=False)

    def __repr__(self) -> str:
        """Say the score only: what a shopper is shown says what the shopper likes."""
        return f"<RankedItem {self.score:.3f}>"

    def why(self, language: Language = "en", *, audience: Audience = "owner") -> str:
        """Say in one true sentence why this item stands here.

        Args:
            language: de, nl or en.
            audience: ``bystander`` on a shared screen: no past item is named.

        Raises:
            ValueError: another language.
        """
        return self._explainer.why(self._place, language=language, audience=audience)

    def contributions(self) -> Mapping[ItemId, float]:
        """Return how much each past item added to the score, largest first.

        The score without any history plus these numbers is the score. Computed on demand, by
        running the same graph with one item's events at a time: some milliseconds for a long
        history.
        """
        return self._explainer.contributions(self._place)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Page(Sequence[RankedItem]):
    """A ranking, best first.

    A page keeps what its reasons need, the history it was made from included: let go of it when
    the shopper withdraws, and at the end of a guest's session.

    Attributes:
        items: at most k; fewer when there were fewer candidates.
        mode: what really happened.
        mode_reason: why.
        rung: how far down the ladder.
    """

    items: tuple[RankedItem, ...]
    mode: Mode
    mode_reason: ModeReason
    rung: Rung

    def __repr__(self) -> str:
        """Say size and mode only."""
        return f"<Page {len(self.items)} items {self.mode}>"

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> RankedItem: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[RankedItem, ...]: ...
    def __getitem__(self, index: int | slice) -> RankedItem | tuple[RankedItem, ...]:
        """Return the item at a place, 0 = best."""
        return self.items[index]
