"""The pure core: events and candidates in, ranked and explained items out.

No clock, no file, no consent: `shelfrank.device` decides whether it may be asked, `evaluate` asks
it for everybody held out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from shelfrank.ranking.golden import check_golden
from shelfrank.ranking.inputs import candidate_rows, check_k, distinct_candidates, graph_inputs
from shelfrank.ranking.page import RankedItem
from shelfrank.ranking.session import Session
from shelfrank.ranking.why import sentence
from shelfrank.types import KIND_CODES, Candidate, ItemId, ItemIdx

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from shelfrank.bundle.catalog import Catalog
    from shelfrank.bundle.verify import VerifiedBundle
    from shelfrank.ranking.session import GraphInputs
    from shelfrank.ranking.why import Audience
    from shelfrank.types import Daypart, Event, Language

PREFERENCE_BONUS: Final = float(np.log(2))
"""What a wish adds to a score. Scores are logarithms of how often an item is taken, so this ranks
the item as if it were taken twice as often: seen at once, and not the whole page. Fixed, not
learned: nobody's wishes were looked at."""

PREFERENCE: Final = "preference"
"""Name of the part that wishes make; no graph has one of that name."""

DEFAULT_K: Final = 12
"""A page of three rows of four."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores of C candidates.

    Attributes:
        score: float32, shape (C,); higher is better.
        parts: float32, shape (C, P), columns in the order of `Ranker.part_names`.
    """

    score: npt.NDArray[np.float32]
    parts: npt.NDArray[np.float32]


class Ranker:
    """Rank with one verified bundle. Pure and safe to share between threads.

    Args:
        bundle: from `shelfrank.bundle.verify.verify_bundle`; nothing else makes one.

    Raises:
        RuntimeGuardError: onnxruntime's telemetry is not known to be off.
        ModelMismatchError: the golden vectors do not come out, or the graph cannot be loaded.
        BundleFormatError: ``golden.json`` is malformed.
    """

    def __init__(self, bundle: VerifiedBundle) -> None:
        self.catalog: Catalog = bundle.catalog
        self.part_names: tuple[str, ...] = bundle.manifest.model.parts
        self._session = Session(bundle.model)
        check_golden(self._session, bundle.golden, tolerance=bundle.manifest.model.tolerance)

    def scores(
        self,
        events: Sequence[Event],
        *,
        now: datetime,
        candidates: npt.NDArray[np.int64] | None = None,
        in_visit: bool | None = None,
        daypart: Daypart | None = None,
    ) -> Scores:
        """Score rows of the catalog.

        Args:
            events: the history, any order; items outside the catalog are left out.
            now: aware.
            candidates: int64, shape (C,), rows as in `GraphInputs.candidate`; None takes the whole
                catalog in its order.
            in_visit: whether the newest visit still lasts; None decides by the times.
            daypart: what part of the day it is where the shopper is; None: not known. Where the
                model knows no dayparts, it changes nothing.

        Raises:
            ValueError: a candidate row is outside the graph's rows, or the daypart is none.
            ModelMismatchError: the graph failed.
        """
        rows = self._all_rows if candidates is None else candidates
        n_rows = self.catalog.n_items + len(self.catalog.categories) + 1
        if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < n_rows:
            raise ValueError(f"a candidate row is outside 0..{n_rows - 1}")
        inputs = graph_inputs(
            events, self.catalog, rows, now=now, in_visit=in_visit, daypart=daypart
        )
        outputs = self._session.run(inputs)
        return Scores(score=outputs.score, parts=outputs.parts)

    def rank(  # noqa: PLR0913 - the pure core: what a ranking depends on, by keyword
        self,
        events: Sequence[Event],
        candidates: Iterable[str | Candidate] | None = None,
        *,
        now: datetime,
        k: int = DEFAULT_K,
        in_visit: bool | None = None,
        daypart: Daypart | None = None,
        intensity: float = 1.0,
        wishes: Selecting | None = None,
    ) -> tuple[RankedItem, ...]:
        """Return the `k` best candidates, best first.

        Ties go to the more popular item, then to the earlier candidate, so the order does not
        depend on anything else. A candidate named twice counts once.

        Args:
            events: the history, any order.
            candidates: ids or `Candidate`; None takes the whole catalog. Ids outside the catalog
                are scored by back-off.
            now: aware.
            k: at least 1; fewer come back when there are fewer candidates.
            in_visit: see `scores`.
            daypart: see `scores`.
            intensity: how personal, 0 (everybody's order) to 1: each part lies as far between that
                of everybody and the shopper's own.
            wishes: what the shopper asked for adds `PREFERENCE_BONUS` times the intensity, as a
                part of its own; what they ruled out is left out.

        Raises:
            ValueError: k is less than 1, the intensity outside 0 to 1, or the daypart is none.
            TypeError: k is no whole number, or a candidate neither text nor `Candidate`.
        """
        check_k(k)
        if not 0 <= intensity <= 1:
            raise ValueError(f"intensity is {intensity}, wanted 0 to 1")
        asked, rows = self._candidates(candidates)
        if wishes is not None:
            allowed = np.flatnonzero(~wishes.forbidden(self.catalog, rows, asked))
            rows = rows[allowed]
            asked = asked and [asked[place] for place in allowed.tolist()]
        inputs = graph_inputs(
            events, self.catalog, rows, now=now, in_visit=in_visit, daypart=daypart
        )
        names, outputs = self.part_names, self.run(inputs)
        if intensity < 1:
            nobody = graph_inputs((), self.catalog, rows, now=now, daypart=daypart)
            outputs = _between(self.run(nobody), outputs, np.float32(intensity))
        if wishes is not None and (preferred := wishes.preferred(self.catalog, rows, asked)).any():
            names = (*names, PREFERENCE)
            outputs = _with_part(outputs, preferred * np.float32(intensity * PREFERENCE_BONUS))
        popularity = outputs.parts[:, self._popularity]
        order = np.lexsort((np.arange(rows.size), -popularity, -outputs.score))[:k]
        explainer = _Explanation(
            ranker=self,
            inputs=inputs,
            rows=rows[order],
            names=names,
            parts=outputs.parts[order],
            usual=outputs.parts.sum(axis=0) / np.float32(max(1, rows.size)),
            intensity=intensity,
        )
        return tuple(
            RankedItem(
                item_id=asked[place_asked].item_id
                if asked is not None
                else self.catalog.id_of(ItemIdx(int(rows[place_asked]))),
                score=float(outputs.score[place_asked]),
                parts=dict(zip(names, outputs.parts[place_asked].tolist(), strict=True)),
                _place=place,
                _explainer=explainer,
            )
            for place, place_asked in enumerate(order.tolist())
        )

    def run(self, inputs: GraphInputs) -> Scores:
        """Run the graph as it is asked; for explanations."""
        outputs = self._session.run(inputs)
        return Scores(score=outputs.score, parts=outputs.parts)

    @cached_property
    def _all_rows(self) -> npt.NDArray[np.int64]:
        return np.arange(self.catalog.n_items, dtype=np.int64)

    @cached_property
    def _popularity(self) -> int:
        """Column that breaks ties; without a part of that name, the first."""
        return self.part_names.index("popularity") if "popularity" in self.part_names else 0

    def _candidates(
        self, candidates: Iterable[str | Candidate] | None
    ) -> tuple[list[Candidate] | None, npt.NDArray[np.int64]]:
        if candidates is None:
            return None, self._all_rows
        distinct = [
            one if isinstance(one, Candidate) else Candidate(item_id=ItemId(one))
            for one in distinct_candidates(candidates).values()
        ]
        return distinct, candidate_rows(distinct, self.catalog)


class Selecting(Protocol):
    """What a shopper asked for and ruled out; see `shelfrank.wishes.wishes.Wishes`."""

    def forbidden(
        self,
        catalog: Catalog,
        rows: npt.NDArray[np.int64],
        candidates: Sequence[Candidate] | None,
    ) -> npt.NDArray[np.bool_]:
        """Return for each candidate whether it must not be shown."""
        ...

    def preferred(
        self,
        catalog: Catalog,
        rows: npt.NDArray[np.int64],
        candidates: Sequence[Candidate] | None,
    ) -> npt.NDArray[np.bool_]:
        """Return for each candidate whether it was asked for."""
        ...


def _between(nobody: Scores, own: Scores, intensity: np.float32) -> Scores:
    """Return parts that lie so far between two; the scores are their sums."""
    parts = nobody.parts + intensity * (own.parts - nobody.parts)
    return Scores(score=parts.sum(axis=1), parts=parts)


def _with_part(scores: Scores, part: npt.NDArray[np.float32]) -> Scores:
    parts = np.column_stack([scores.parts, part.astype(np.float32)])
    return Scores(score=parts.sum(axis=1), parts=parts)


@dataclass(kw_only=True, eq=False)
class _Explanation:
    """Why the items of one page stand there, computed when first asked."""

    ranker: Ranker
    inputs: GraphInputs
    rows: npt.NDArray[np.int64]
    names: tuple[str, ...]
    parts: npt.NDArray[np.float32]
    usual: npt.NDArray[np.float32]
    intensity: float

    def __repr__(self) -> str:
        """Say the size only: it holds a history."""
        return f"<explanation of {self.rows.size} items>"

    def why(self, row: int, *, language: Language, audience: Audience) -> str:
        """Name the part that lifts the item most above the average candidate."""
        reason, item = self._reason(row)
        title = None if item is None else self._title(item)
        return sentence(reason, language=language, audience=audience, item=title)

    def _reason(self, row: int) -> tuple[str, int | None]:
        """Return the reason and the past item behind it, if one is; only what is so.

        To stand above an average that dislikes pull down is no reason by itself: a part of the
        shopper's own counts only where an item they did not dislike added to it.
        """
        lead = self.parts[row] - self.usual
        # A single candidate leads in nothing; then its largest part comes first.
        for part in np.lexsort((-self.parts[row], -lead)):
            name = self.names[int(part)]
            if name == PREFERENCE:
                if self.parts[row][part] > 0:
                    return name, None
            elif name == "popularity":
                # Nobody has counted an item that the bundle does not know.
                if lead[part] > 0 and self.rows[row] < self.ranker.catalog.n_items:
                    return name, None
            elif lead[part] >= 0 and (own := self._own_reason(row, int(part))) is not None:
                return own
        return self._largest_own_reason(row)

    def _largest_own_reason(self, row: int) -> tuple[str, int | None]:
        """Name what a past item added, though others got more of it; else that nothing did."""
        for part in np.argsort(-self.parts[row], kind="stable"):
            is_own = self.names[int(part)] not in {"popularity", PREFERENCE}
            if is_own and (own := self._own_reason(row, int(part))) is not None:
                return own
        return ("filler" if self._past_items else "generic"), None

    def _own_reason(self, row: int, part: int) -> tuple[str, int] | None:
        """Return part and past item, if one the shopper did not dislike added to this part."""
        if not self._liked.any():
            return None
        added = np.where(self._liked, self._by_item[:, row, part], np.float32(0))
        if added.max() <= 0:
            return None
        name, item = self.names[part], self._past_items[int(np.argmax(added))]
        # What often follows an item can be a second look at it.
        if name != "repeat" and item != self.rows[row]:
            return name, item
        visits = self.inputs.event_visit[self.inputs.event_item == item]
        return "repeat_once" if np.unique(visits).size < 2 else "repeat", item

    def _title(self, item: int) -> str:
        catalog = self.ranker.catalog
        return (catalog.title(ItemIdx(item)) or catalog.id_of(ItemIdx(item))).strip()

    def contributions(self, row: int) -> Mapping[ItemId, float]:
        """Sum each past item's parts; see `RankedItem.contributions`."""
        added = self._by_item[:, row, :].sum(axis=1)
        order = np.argsort(-added, kind="stable")
        id_of = self.ranker.catalog.id_of
        return {id_of(ItemIdx(self._past_items[place])): float(added[place]) for place in order}

    @cached_property
    def _past_items(self) -> list[int]:
        return [int(item) for item in np.unique(self.inputs.event_item)]

    @cached_property
    def _liked(self) -> npt.NDArray[np.bool_]:
        """Return which past items were not disliked: bool, shape (past items,)."""
        dislikes = self.inputs.event_item[self.inputs.event_kind == KIND_CODES["dislike"]]
        return ~np.isin(np.array(self._past_items, dtype=np.int64), dislikes)

    @cached_property
    def _by_item(self) -> npt.NDArray[np.float32]:
        """Return what each past item adds: float32, shape (past items, page items, parts)."""
        asked = replace(self.inputs, candidate=self.rows)
        nothing = np.zeros(asked.event_item.size, dtype=np.bool_)
        base = self.ranker.run(asked.only(nothing)).parts
        added = [
            np.float32(self.intensity)
            * (self.ranker.run(asked.only(asked.event_item == item)).parts - base)
            for item in self._past_items
        ]
        shape = (0, *base.shape)
        return np.stack(added) if added else np.zeros(shape, dtype=np.float32)
