"""Everything a device holds about the shopper, on one screen, in the shopper's language. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shelfrank.benefit import Benefit
    from shelfrank.consent.overview import PurposeOverview
    from shelfrank.consent.signals import GpcStatus
    from shelfrank.history.events import StoredEvent
    from shelfrank.types import Language
    from shelfrank.wishes.wishes import Wishes

_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "de": {
        "kept": "  Gemerkt sind {n} Vorgänge, nur auf diesem Gerät.",
        "unreadable": "{n} Vorgänge sind beschädigt und können nicht gelesen werden.",
        "unavailable": "Was gemerkt ist, kann gerade nicht gelesen werden.",
        "brands": "Marken, von denen Sie mehr sehen möchten: {list}",
        "categories": "Bereiche, von denen Sie mehr sehen möchten: {list}",
        "never": "Nie mehr gezeigt oder gemerkt: {list}",
        "none": "Es ist nichts gemerkt, und Sie wurden noch nicht gefragt.",
    },
    "nl": {
        "kept": "  Er zijn {n} gebeurtenissen onthouden, alleen op dit apparaat.",
        "unreadable": "{n} gebeurtenissen zijn beschadigd en niet te lezen.",
        "unavailable": "Wat onthouden is, kan nu niet worden gelezen.",
        "brands": "Merken waarvan je meer wilt zien: {list}",
        "categories": "Afdelingen waarvan je meer wilt zien: {list}",
        "never": "Nooit meer getoond of onthouden: {list}",
        "none": "Er is niets onthouden en je bent nog niets gevraagd.",
    },
    "en": {
        "kept": "  {n} events are kept, on this device only.",
        "unreadable": "{n} events are damaged and cannot be read.",
        "unavailable": "What is kept cannot be read just now.",
        "brands": "Brands you want to see more of: {list}",
        "categories": "Parts of the shop you want to see more of: {list}",
        "never": "Never shown or kept again: {list}",
        "none": "Nothing is kept, and you have not been asked yet.",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What a device holds about the shopper, now.

    Attributes:
        purposes: how each stands.
        kept: number of events by purpose; None where the history cannot be read.
        unreadable: number of events that are damaged, or were when something was erased.
        wishes: what the shopper said outright.
        benefit: where the last purchases stood, or would have.
        gpc: what became of Global Privacy Control.
        language: of `text`.
    """

    purposes: tuple[PurposeOverview, ...]
    kept: Mapping[str, int] | None
    unreadable: int
    wishes: Wishes
    benefit: Benefit
    gpc: GpcStatus
    language: Language

    def __repr__(self) -> str:
        """Say the number of purposes only."""
        return f"<Overview of {len(self.purposes)} purposes>"

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """All of it in words. For the shopper alone: it names what the shopper wished for."""
        words = _WORDS[self.language]
        lines: list[str] = []
        for purpose in self.purposes:
            lines.append(purpose.text)
            if self.kept is not None and (count := self.kept.get(purpose.purpose, 0)):
                lines.append(words["kept"].format(n=count))
        if self.kept is None:
            lines.append(words["unavailable"])
        if self.unreadable:
            lines.append(words["unreadable"].format(n=self.unreadable))
        never = [*self.wishes.never_categories, *self.wishes.never_items]
        for key, values in (
            ("brands", self.wishes.brands),
            ("categories", self.wishes.categories),
            ("never", never),
        ):
            if values:
                lines.append(words[key].format(list=", ".join(sorted(values))))
        if self.benefit.purchases:
            lines.append(self.benefit.as_text(self.language))
        return "\n".join(lines) or words["none"]


def count_by_purpose(events: Iterable[StoredEvent]) -> Mapping[str, int]:
    """Return how many events are kept for each purpose; one kept for two counts for both."""
    return dict(Counter(purpose for stored in events for purpose in stored.purposes))
