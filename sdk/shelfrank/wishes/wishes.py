"""What the shopper asked for and ruled out, as a value; and the bytes it is kept as. Pure.

Nothing here is worked out from behaviour: every entry is something the shopper said.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from shelfrank.consent.purposes import normal_category
from shelfrank.errors import HistoryDamagedError, HistoryVersionError
from shelfrank.types import ItemId, ItemIdx

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from shelfrank.bundle.catalog import Catalog
    from shelfrank.types import Candidate

FORMAT: Final = 1
"""Number of the format that `dump` writes."""

MAX_WISHES: Final = 256
"""Of each sort. A list that somebody keeps by hand is shorter; the file stays small."""

MAX_WISH_BYTES: Final = 512
"""Of one brand, category or item id, in UTF-8."""

PADDING_BYTES: Final = 4096
"""Sizes are rounded up, so that the length of the file says little about what is in it."""

Preferable = Literal["brand", "category"]
Sort = Literal["brands", "categories", "never_items", "never_categories"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What one shopper said.

    Attributes:
        brands: preferred, as `normal_category` writes them.
        categories: preferred, in normal form; all below them is meant too.
        never_items: must never be shown again.
        never_categories: must not be kept, used or shown; all below them is meant too.
    """

    brands: frozenset[str] = field(default=frozenset())
    categories: frozenset[str] = field(default=frozenset())
    never_items: frozenset[ItemId] = field(default=frozenset())
    never_categories: frozenset[str] = field(default=frozenset())

    def __repr__(self) -> str:
        """Say the type only."""
        return "<Wishes>"

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return any((self.brands, self.categories, self.never_items, self.never_categories))

    def with_one(self, sort: Sort, value: str) -> Wishes:
        """Return the wishes with one more.

        Raises:
            ValueError: it is empty, no text for UTF-8, over 512 bytes, or the 257th of its sort.
        """
        wished = checked(sort, value)
        values = getattr(self, sort) | {wished}
        if len(values) > MAX_WISHES:
            raise ValueError(f"there are {MAX_WISHES} wishes of this sort already")
        return replace(self, **{sort: values})

    def without_one(self, sort: Sort, value: str) -> Wishes:
        """Return the wishes without one; the same where it was not among them."""
        return replace(self, **{sort: getattr(self, sort) - {checked(sort, value)}})

    def forbids_category(self, category: str | None) -> bool:
        """Say whether a category, or one above it, must never be used."""
        return _is_below(category, self.never_categories)

    def forbids_item(self, item_id: ItemId, category: str | None) -> bool:
        """Say whether an item, or its category, must never be used."""
        return item_id in self.never_items or self.forbids_category(category)

    def forbidden(
        self,
        catalog: Catalog,
        rows: npt.NDArray[np.int64],
        candidates: Sequence[Candidate] | None,
    ) -> npt.NDArray[np.bool_]:
        """Return for each candidate whether it must not be shown: bool, shape (C,).

        Args:
            catalog: of the bundle.
            rows: int64, shape (C,); rows beyond the catalog's items stand for items it lacks.
            candidates: what was asked about, in the same order; None for rows of the catalog alone.
        """
        if not (self.never_items or self.never_categories):
            return np.zeros(rows.size, dtype=np.bool_)
        facts = _facts(catalog, rows, candidates)
        return np.array(
            [self.forbids_item(item_id, category) for item_id, category, _ in facts],
            dtype=np.bool_,
        )

    def preferred(
        self,
        catalog: Catalog,
        rows: npt.NDArray[np.int64],
        candidates: Sequence[Candidate] | None,
    ) -> npt.NDArray[np.bool_]:
        """Return for each candidate whether it is of a preferred brand or category: bool, (C,)."""
        if not (self.brands or self.categories):
            return np.zeros(rows.size, dtype=np.bool_)
        facts = _facts(catalog, rows, candidates)
        return np.array(
            [
                (brand is not None and normal_category(brand) in self.brands)
                or _is_below(category, self.categories)
                for _, category, brand in facts
            ],
            dtype=np.bool_,
        )


def checked(sort: Sort, value: str) -> str:
    """Return a wish as it is kept.

    Raises:
        ValueError: it is empty, no text for UTF-8, or over 512 bytes. The message never quotes it.
    """
    wished = value if sort == "never_items" else normal_category(value)
    try:
        size = len(wished.encode())
    except UnicodeEncodeError:
        size = 0
    if not 1 <= size <= MAX_WISH_BYTES:
        raise ValueError(f"a wish must be text of 1 to {MAX_WISH_BYTES} bytes")
    return wished


def dump(wishes: Wishes) -> bytes:
    """Return wishes as bytes, padded to a multiple of 4,096."""
    data = json.dumps(
        {"format": FORMAT, **as_lists(wishes)}, ensure_ascii=False, separators=(",", ":")
    ).encode()
    return data + b" " * (-len(data) % PADDING_BYTES)


def as_lists(wishes: Wishes) -> dict[str, list[str]]:
    """Return wishes by sort, each sorted."""
    return {
        "brands": sorted(wishes.brands),
        "categories": sorted(wishes.categories),
        "never_items": sorted(wishes.never_items),
        "never_categories": sorted(wishes.never_categories),
    }


def parse(data: bytes) -> Wishes:
    """Return what `dump` wrote; it was authenticated before.

    Raises:
        HistoryDamagedError: it does not have the layout of its format.
        HistoryVersionError: a format of a later SDK.
    """
    try:
        content = json.loads(data)
        found = content["format"]
        lists = {
            sort: frozenset(map(str, content[sort]))
            for sort in ("brands", "categories", "never_items", "never_categories")
        }
    except (ValueError, TypeError, KeyError):
        raise HistoryDamagedError("the wishes do not have the layout of their format") from None
    if found != FORMAT:
        raise HistoryVersionError(f"wishes have a later format, this SDK reads {FORMAT}")
    return Wishes(
        brands=lists["brands"],
        categories=lists["categories"],
        never_items=frozenset(map(ItemId, lists["never_items"])),
        never_categories=lists["never_categories"],
    )


def _is_below(category: str | None, listed: frozenset[str]) -> bool:
    path = normal_category(category or "")
    return path != "" and any(path == one or path.startswith(one + "/") for one in listed)


def _facts(
    catalog: Catalog, rows: npt.NDArray[np.int64], candidates: Sequence[Candidate] | None
) -> list[tuple[ItemId, str | None, str | None]]:
    """Return id, category and brand of each candidate; what the bundle knows counts first."""
    known = [
        (catalog.id_of(row), catalog.category(row), catalog.brand(row))
        if row < catalog.n_items
        else None
        for row in map(ItemIdx, rows.tolist())
    ]
    if candidates is None:
        return [fact for fact in known if fact is not None]
    return [
        fact or (candidate.item_id, candidate.category, candidate.brand)
        for fact, candidate in zip(known, candidates, strict=True)
    ]
