"""The lowest rung: no model, so the candidates stay in the order they came in."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from shelfrank.ranking.inputs import candidate_id
from shelfrank.ranking.page import RankedItem
from shelfrank.ranking.why import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shelfrank.ranking.why import Audience
    from shelfrank.types import Candidate, ItemId, Language


def caller_order(candidates: Sequence[str | Candidate] | None, *, k: int) -> tuple[RankedItem, ...]:
    """Return the first `k` distinct candidates as they came; none when there is no list."""
    distinct = dict.fromkeys(candidate_id(candidate) for candidate in candidates or ())
    return tuple(
        RankedItem(
            item_id=item_id,
            score=0.0,
            parts=MappingProxyType({}),
            _place=place,
            _explainer=_NOTHING_KNOWN,
        )
        for place, item_id in enumerate(list(distinct)[:k])
    )


class _NothingKnown:
    """There is no model to explain."""

    def why(self, row: int, *, language: Language, audience: Audience) -> str:  # noqa: ARG002
        """Say that nobody's data was used."""
        return sentence("generic", language=language, audience=audience)

    def contributions(self, row: int) -> Mapping[ItemId, float]:  # noqa: ARG002 - the protocol's
        """No past item added anything."""
        return MappingProxyType({})


_NOTHING_KNOWN = _NothingKnown()
