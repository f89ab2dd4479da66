"""Whom the device serves, as far as the app knows: an age, or that it is not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

AgeGroup = Literal["unknown", "child", "teen", "adult"]

TEEN_AGE: Final = 13
"""A child is younger: the limit of COPPA (16 CFR 312.2), and the lowest age of GDPR Art. 8."""
ADULT_AGE: Final = 18

_MOST_YEARS: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The shopper's age, as far as the app knows; nothing of it is kept.

    Attributes:
        age: in years, or ``child`` (under 13), ``teen`` (13 to 17), ``adult``, ``unknown``. Unknown
            is not adult.

    Raises:
        ValueError: another word, or a number of years nobody has.
    """

    age: int | AgeGroup = "unknown"

    def __post_init__(self) -> None:
        """Refuse what is no age."""
        groups = get_args(AgeGroup)
        if isinstance(self.age, str):
            if self.age not in groups:
                raise ValueError(f"age is {self.age!r}, wanted years or one of {', '.join(groups)}")
        elif isinstance(self.age, bool) or not isinstance(self.age, int):
            raise TypeError(f"age is {type(self.age).__name__}, wanted years or a word")
        elif not 0 <= self.age <= _MOST_YEARS:
            raise ValueError(f"age is {self.age}, wanted 0 to {_MOST_YEARS} years")

    def __repr__(self) -> str:
        """Say the type only."""
        return "<Subject>"

    @property
    def is_child(self) -> bool:
        """Whether the shopper is known to be a child."""
        return self.years is not None and self.years < TEEN_AGE

    @property
    def years(self) -> int | None:
        """The age in years; None if it is not known. A group counts as its youngest member."""
        if isinstance(self.age, int):
            return self.age
        return {"unknown": None, "child": 0, "teen": TEEN_AGE, "adult": ADULT_AGE}[self.age]
