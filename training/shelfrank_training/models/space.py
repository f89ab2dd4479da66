"""The rows the model speaks of: items, a row for each category, one for "none known"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSpace:
    """The catalog of one model as row numbers (`shelfrank.ranking.session.GraphInputs.candidate`).

    Attributes:
        item_ids: sorted; row of an item.
        categories: sorted, distinct; category c has the row ``n_items + c``.
        category_of: int64, shape (n_rows,), 0..n_categories; ``n_categories`` means none known.
    """

    item_ids: tuple[str, ...]
    categories: tuple[str, ...]
    category_of: npt.NDArray[np.int64]

    @classmethod
    def of(cls, item_ids: Sequence[str], categories: Sequence[str | None]) -> ItemSpace:
        """Lay out the rows of these items.

        Args:
            item_ids: distinct.
            categories: the category of each, or None; same length.
        """
        order = sorted(range(len(item_ids)), key=lambda row: item_ids[row])
        known = tuple(sorted({category for category in categories if category is not None}))
        number = {category: index for index, category in enumerate(known)}
        of_items = [number.get(categories[row] or "", len(known)) for row in order]
        return cls(
            item_ids=tuple(item_ids[row] for row in order),
            categories=known,
            category_of=np.array([*of_items, *range(len(known) + 1)], dtype=np.int64),
        )

    @property
    def n_items(self) -> int:
        """Items of the catalog."""
        return len(self.item_ids)

    @property
    def n_categories(self) -> int:
        """Categories that at least one item has."""
        return len(self.categories)

    @property
    def n_rows(self) -> int:
        """Items, categories, and the row of no known category."""
        return self.n_items + self.n_categories + 1

    def rows_of(self, item_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the row of each item, -1 where the model has none."""
        row = {item_id: index for index, item_id in enumerate(self.item_ids)}
        return np.array([row.get(item_id, -1) for item_id in item_ids], dtype=np.int64)

    def category_rows_of(self, categories: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the number of each category, -1 where no item of the model has it."""
        row = {category: index for index, category in enumerate(self.categories)}
        return np.array([row.get(category, -1) for category in categories], dtype=np.int64)
