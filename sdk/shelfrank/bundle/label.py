"""The privacy label: promises behind the model's numbers (bundle-format.md, section 8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shelfrank.bundle import archive, strict
from shelfrank.errors import BundleError, BundleFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What the publisher states, signed with the bundle.

    Attributes:
        min_shoppers: every published statistic covers at least as many shoppers.
        unprotected: made without the usual floor (research, public data); devices refuse it unless
            told.
        epsilon: differential privacy at shopper level for the whole bundle, or None: no such
            promise.
        delta: goes with epsilon; None without.
        has_categories: the catalog has categories, so sensitive ones could be filtered.
        raw: everything in the file, for display.
    """

    min_shoppers: int
    unprotected: bool
    epsilon: float | None
    delta: float | None
    has_categories: bool
    raw: Mapping[str, object] = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> Label:
        """Read ``label.json``.

        Raises:
            BundleFormatError: malformed, or a promise that contradicts itself.
        """
        fields = strict.parse_object(data, where=archive.LABEL)
        label = cls(
            min_shoppers=fields.integer("min_shoppers", low=1),
            unprotected=fields.boolean("unprotected"),
            epsilon=fields.number_or_none("epsilon", low=0.0, high=1e6),
            delta=fields.number_or_none("delta", low=0.0, high=1.0),
            has_categories=fields.boolean("has_categories"),
            raw=fields.raw,
        )
        if label.epsilon is None and label.delta is not None:
            raise BundleFormatError(f"{fields.path('delta')} is stated without epsilon")
        return label

    def require(self, min_shoppers: int | None, *, allow_unprotected: bool = False) -> None:
        """Refuse what covers fewer shoppers than promised.

        Args:
            min_shoppers: what the policy in force asks for; None without one.
            allow_unprotected: take anything; for research on public data.

        Raises:
            BundleError: the label says unprotected, or less than the policy asks for.
        """
        if allow_unprotected:
            return
        if self.unprotected:
            raise BundleError(
                "the bundle's label says unprotected: numbers about few shoppers may be in it",
                hint="for research on public data, pass allow_unprotected=True",
            )
        if min_shoppers is not None and self.min_shoppers < min_shoppers:
            raise BundleError(
                f"the bundle's numbers cover at least {self.min_shoppers} shoppers, "
                f"the policy wants {min_shoppers}"
            )
