"""Which shoppers are kept out of training, so that a model can be measured on them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import ibis

if TYPE_CHECKING:
    from ibis.expr.types import BooleanValue, StringValue

DEFAULT_SALT: Final = "shelfrank-0"
"""Keeps the choice apart from other uses of the same hash. It is recorded, so it is no secret."""

_DIGITS: Final = 16
"""Hex digits compared: 64 bits, so that a share is met to 1 in 2^64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """A share of the shoppers, chosen by a keyed hash: the same on every machine and engine.

    Attributes:
        share: in [0, 1).
        salt: what is hashed before the shopper id.
    """

    share: float = 0.0
    salt: str = DEFAULT_SALT

    def __post_init__(self) -> None:
        """Refuse a share that keeps everybody out.

        Raises:
            ValueError: the share is not in [0, 1).
        """
        if not 0 <= self.share < 1:
            raise ValueError(
                f"the hold-out share is {self.share}, wanted 0 or more and less than 1"
            )

    def contains(self, shopper_id: str) -> bool:
        """Say whether this shopper is kept out of training."""
        digest = hashlib.sha256(f"{self.salt}|{shopper_id}".encode()).hexdigest()
        return digest[:_DIGITS] < self._limit()

    def matches(self, shopper_id: StringValue) -> BooleanValue:
        """Return `contains` as an expression over a column of shopper ids."""
        digest = (ibis.literal(self.salt + "|") + shopper_id).hexdigest("sha256")
        return digest.left(_DIGITS) < self._limit()

    def _limit(self) -> str:
        # Hex digits of equal length order like the numbers they stand for, on every engine.
        return f"{int(Fraction(self.share) * 16**_DIGITS):0{_DIGITS}x}"
