"""What a run of `aggregate` is asked to do, and which requests are refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from shelfrank_training.aggregates.budget import Target
from shelfrank_training.aggregates.ledger import DEFAULT_YEARLY_EPSILON
from shelfrank_training.errors import PrivacyError
from shelfrank_training.events.columns import Columns
from shelfrank_training.events.holdout import Holdout

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from shelfrank.consent.policy import Policy

DEFAULT_MIN_SHOPPERS: Final = 50
"""Google's Ads Data Hub asks for 50 users behind every number: the one public precedent we know."""

AMBER_MIN_SHOPPERS: Final = 20
"""Below this a run warns: 20 is the lowest the default policy takes."""

UNPROTECTED_MIN_SHOPPERS: Final = 10
"""Below this a number may point at people; only research on public data has a reason to."""

DEFAULT_MAX_ITEMS: Final = 100
"""Items counted for one shopper. More buys little: the pairs of a shopper grow with the square."""

LARGE_MAX_ITEMS: Final = 50
"""The same for tables of more than `LARGE_EVENTS` events: four times fewer pairs a shopper."""

LARGE_EVENTS: Final = 10_000_000

MAX_VISITS: Final = 200
"""Visits counted for one shopper, one after the other: almost four years of weekly shopping."""

DEFAULT_DELTA: Final = 1e-6
"""Right for up to a hundred thousand shoppers, and permitted up to a million: above one over their
number, publishing somebody's rows outright would be permitted, too."""

OUTCOMES_SALT: Final = "shelfrank-outcomes-0"
"""Keeps part B apart from the hold-out, which the same hash chooses."""

HALF_LIFE_DAYS: Final = 28
"""Popularity halves every four weeks, so that it follows the season and not one weekend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerUse:
    """Which ledger a release is entered in, and when.

    Attributes:
        path: the file; made if it is not there.
        now: aware; the moment of the release. The data are older: nothing else looks at it.
        yearly_epsilon: budget of a new ledger; an existing one keeps its own.
    """

    path: Path
    now: datetime
    yearly_epsilon: float = DEFAULT_YEARLY_EPSILON


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateSettings:
    """The settings of one run.

    Attributes:
        policy: whose sensitive categories are kept out and whose `min_shoppers` must be reached;
            None keeps out only what the catalog itself marks as sensitive.
        min_shoppers: distinct shoppers behind every published number.
        unprotected: permits `min_shoppers` below `UNPROTECTED_MIN_SHOPPERS`.
        holdout: the shoppers that are kept out; its salt also chooses the contributions.
        outcomes: part B: who makes the table ``outcomes`` and no other, among those not held out. A
            share of 0 makes no such table.
        until: aware; events at this moment or later are left out, and popularity decays from here.
            None takes the end of the data.
        epsilon: of noise, for one shopper more or less, over everything that is written; None adds
            none. With it `until` is needed, since the end of the data would be a fact about them.
        delta: goes with epsilon; at most one over the number of shoppers.
        ledger: counts the budget over releases; None counts nothing.
        max_items: items counted for one shopper; None takes the default for the number of events.
        half_life_days: after which an event counts half for popularity; at least 1.
        zone: where the shop is, so that its time of day is known; None counts no dayparts.
        columns: what differs from the contract's column names, in either file.
        max_bad_rows: share of bad event rows in [0, 1] above which the run stops.
        overwrite: replace an older result.
    """

    policy: Policy | None = None
    min_shoppers: int = DEFAULT_MIN_SHOPPERS
    unprotected: bool = False
    holdout: Holdout = field(default_factory=Holdout)
    outcomes: Holdout = field(default_factory=lambda: Holdout(salt=OUTCOMES_SALT))
    until: datetime | None = None
    epsilon: float | None = None
    delta: float = DEFAULT_DELTA
    ledger: LedgerUse | None = None
    max_items: int | None = None
    half_life_days: int = HALF_LIFE_DAYS
    zone: ZoneInfo | None = None
    columns: Columns = field(default_factory=Columns)
    max_bad_rows: float = 0.0
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            ValueError: a number is out of its range, or `until` is naive.
        """
        if self.min_shoppers < 1:
            raise ValueError(f"min_shoppers is {self.min_shoppers}, wanted 1 or more")
        if self.max_items is not None and self.max_items < 1:
            raise ValueError(f"max_items is {self.max_items}, wanted 1 or more")
        if self.half_life_days < 1:
            raise ValueError(f"half_life_days is {self.half_life_days}, wanted 1 or more")
        if not 0 <= self.max_bad_rows <= 1:
            raise ValueError(f"max_bad_rows is {self.max_bad_rows}, wanted 0 to 1")
        if self.until is not None and self.until.tzinfo is None:
            raise ValueError("until has no time zone")


def check_min_shoppers(settings: AggregateSettings) -> tuple[str, ...]:
    """Refuse a threshold that is too low, and say what should be known about a low one.

    Returns:
        Notes for the person who runs it.

    Raises:
        PrivacyError: below `UNPROTECTED_MIN_SHOPPERS` without `unprotected`, or below the policy's.
    """
    asked = settings.min_shoppers
    if asked < UNPROTECTED_MIN_SHOPPERS and not settings.unprotected:
        raise PrivacyError(
            f"min_shoppers is {asked}, wanted {UNPROTECTED_MIN_SHOPPERS} or more",
            hint="for research on public data: --unprotected; the label then says so in red",
        )
    if settings.policy is not None and asked < settings.policy.min_shoppers:
        raise PrivacyError(
            f"min_shoppers is {asked}, the policy wants {settings.policy.min_shoppers} or more",
            hint="raise --min-shoppers, or publish a policy with a lower min_shoppers",
        )
    if asked < UNPROTECTED_MIN_SHOPPERS:
        return (f"red: unprotected, numbers may stand for as few as {asked} shoppers",)
    if asked < AMBER_MIN_SHOPPERS:
        return (f"amber: numbers may stand for as few as {asked} shoppers",)
    return ()


def check_noise(settings: AggregateSettings) -> Target | None:
    """Return what is promised by noise; None without.

    Raises:
        PrivacyError: epsilon or delta promise nothing, `until` is missing, or a setting goes only
            with noise, or only without.
    """
    if settings.epsilon is None:
        if settings.ledger is not None:
            raise PrivacyError(
                "a ledger was given without epsilon: a release without noise has no cost to enter",
                hint="give --epsilon too, or leave --ledger out",
            )
        return None
    target = Target(settings.epsilon, settings.delta)
    if settings.until is None:
        raise PrivacyError(
            "epsilon was given without until: the end of the data is a fact about shoppers",
            hint="say --until TIME",
        )
    if settings.max_items is not None:
        raise PrivacyError(
            f"max_items is {settings.max_items}, but with epsilon shoppers of many items count in "
            "part, and the bounds are fixed"
        )
    return target


def choose_max_items(settings: AggregateSettings, n_events: int) -> int:
    """Return how many items are counted for one shopper."""
    if settings.max_items is not None:
        return settings.max_items
    return LARGE_MAX_ITEMS if n_events > LARGE_EVENTS else DEFAULT_MAX_ITEMS
