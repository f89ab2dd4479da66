"""Small shops that the noise is audited on, and in each the shopper who is hardest to hide.

Everybody else is known to the attacker, and what the shopper has is published or just about to be:
the worst case, which the stated epsilon must cover.
"""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final
from unittest import mock

import numpy as np

from shelfrank_training.aggregates import AggregateSettings, noise
from shelfrank_training.aggregates.budget import Account, Target, split_for
from shelfrank_training.aggregates.counting import prepare
from shelfrank_training.aggregates.portions import Portion
from shelfrank_training.aggregates.private import PrivateRelease, release
from shelfrank_training.aggregates.scope import before_until
from shelfrank_training.aggregates.secret_counts import (
    CHOOSING,
    ITEM_PAIRS,
    OfItems,
    SecretCounts,
)
from support.attackers import WHOLE, Likelihood, numbers_of
from support.noise_sources import ShowsAll
from support.shop import START, Line, write_catalog, write_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from shelfrank_training.aggregates.noise import NoiseSource, Sensitivity

EPSILON: Final = 3.0
"""What the learning study recommends for a release."""

_WEEK: Final = 7 * 24 * 60
_UNTIL: Final = (START + timedelta(days=8)).replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """An input, and one shopper more.

    Attributes:
        lines: of everybody else.
        shopper: lines of the shopper.
        category_of: the catalog.
        settings: of the release.
    """

    lines: Sequence[Line]
    shopper: Sequence[Line]
    category_of: Mapping[str, str | None]
    settings: AggregateSettings


def crowd() -> Shop:
    """Return a shop that publishes all that the shopper has, in every table.

    The shopper has as much as counts in full, so each pass is moved (almost) as far as it can be.
    Pairs of the shopper's items go together more than their categories do, so that they are
    published, too.
    """
    items = [f"item-{number}" for number in range(10)]
    others = [f"other-{number}" for number in range(4)]
    like = [line for number in range(_CROWD) for line in _twice(f"like-{number}", items)]
    unlike = [
        Line(shopper=f"unlike-{number}", item=item) for number in range(_CROWD) for item in others
    ]
    return Shop(
        lines=like + unlike,
        shopper=_twice("shopper", items),
        category_of={name: f"category-{int(name[-1]) % 4}" for name in items + others},
        settings=_settings(min_shoppers=20),
    )


def edge(*, items: int = 1) -> Shop:
    """Return a shop with keys just below their threshold, which the shopper brings over it.

    Also, the shopper has an item that nobody else has. There are no categories, so that what is
    chosen by the noise, and counted again, is only a few sets of items.

    Args:
        items: how many of them stand at the edge; a pair of items does, too.
    """
    settings = _settings(min_shoppers=1)
    account = _account(settings, has_categories=False)
    at_edge = [f"edge-{number}" for number in range(items)]
    below = _below_threshold(account, "items", CHOOSING.of_units())
    both = _below_threshold(account, "pairs", ITEM_PAIRS.of_pairs())
    lines = [Line(shopper=f"e{number}", item=item) for number in range(below) for item in at_edge]
    lines += [Line(shopper=f"p{number}", item=item) for number in range(both) for item in _PAIR]
    # They have one item each, so that the pair is no matter of chance.
    lines += [Line(shopper=f"r{number}", item="rest") for number in range(10 * both)]
    own = [*at_edge, *_PAIR, "unique"]
    return Shop(
        lines=lines,
        shopper=[Line(shopper="shopper", item=item) for item in own],
        category_of=dict.fromkeys([*own, "rest"]),
        settings=settings,
    )


def wide() -> Shop:
    """Return a shop of people with many categories, who must count in part to be hidden."""
    items = [f"item-{number:02}" for number in range(_WIDE)]
    return Shop(
        lines=[Line(shopper=f"s{number}", item=item) for number in range(400) for item in items],
        shopper=[Line(shopper="shopper", item=item) for item in items],
        category_of={item: f"category of {item}" for item in items},
        settings=_settings(min_shoppers=20),
    )


_CROWD: Final = 600
"""Shoppers: at epsilon 3 the threshold for pairs is about 300, and the noise about 45."""

_WIDE: Final = 40
"""Categories of a shopper: ten times as many as count in full."""

_PAIR: Final = ("pair-a", "pair-b")


def _twice(shopper: str, items: Sequence[str]) -> list[Line]:
    return [
        Line(shopper=shopper, item=item, minute=minute, visit=str(minute))
        for minute in (0, _WEEK)
        for item in items
    ]


def _settings(*, min_shoppers: int) -> AggregateSettings:
    return AggregateSettings(
        min_shoppers=min_shoppers, unprotected=min_shoppers < 10, epsilon=EPSILON, until=_UNTIL
    )


def _account(settings: AggregateSettings, *, has_categories: bool) -> Account:
    assert settings.epsilon is not None
    target = Target(settings.epsilon, settings.delta)
    return Account(target, split_for(has_categories=has_categories))


def _below_threshold(account: Account, name: str, sensitivity: Sensitivity) -> int:
    scale = noise.scale_for(sensitivity, account.rho(name))
    threshold = noise.threshold_for(sensitivity, scale, account.key_delta)
    return math.ceil(threshold / noise.UNIT) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What is promised of a table, or of all.

    Attributes:
        epsilon: at the delta of the release.
        deviations: of Gaussian noise, that two inputs lie apart at most.
    """

    epsilon: float
    deviations: float


class _Remembering(SecretCounts):
    """Counts every set of chosen items once, not only the last one."""

    def of_items(self, chosen: npt.NDArray[np.int64]) -> OfItems:
        remembered: dict[bytes, OfItems] = self.__dict__.setdefault("remembered", {})
        key = chosen.tobytes()
        if key not in remembered:
            remembered[key] = super().of_items(chosen)
        return remembered[key]


class Worlds:
    """The shop with and without the shopper, counted once, to be released often.

    Args:
        without: counts without the shopper.
        with_shopper: counts with the shopper.
        settings: of the releases.
    """

    def __init__(
        self, without: SecretCounts, with_shopper: SecretCounts, settings: AggregateSettings
    ) -> None:
        self._inputs = (without, with_shopper)
        self._settings = settings
        exact = [numbers_of(self._release(counts, ShowsAll())) for counts in self._inputs]
        self.attacker = Likelihood(*exact)

    @property
    def delta(self) -> float:
        """What goes with every epsilon."""
        return self._settings.delta

    def observe(
        self, runs: int, source: NoiseSource
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Release each input so many times, and return what the attacker sees.

        Returns:
            Without and with the shopper; each of shape (runs, numbers).
        """
        without, with_shopper = (
            np.stack(
                [self.attacker.see(numbers_of(self._release(counts, source))) for _ in range(runs)]
            )
            for counts in self._inputs
        )
        return without, with_shopper

    def stated(self) -> dict[str, Stated]:
        """Return what a release promises, by table of the attacker."""
        account = self._account()
        bill = release(self._inputs[0], account).bill
        rho = {
            table: math.fsum(entry.rho for entry in account.of_table(table))
            for table in self.attacker.tables
        }
        return {
            table: Stated(
                epsilon=noise.epsilon_of(rho[table], bill.conversion_delta),
                deviations=math.sqrt(2 * rho[table]),
            )
            for table in self.attacker.tables
            if table != WHOLE
        } | {WHOLE: Stated(epsilon=bill.target.epsilon, deviations=math.sqrt(2 * bill.rho))}

    def _account(self) -> Account:
        return _account(self._settings, has_categories=bool(self._inputs[0].categories))

    def _release(self, counts: SecretCounts, source: NoiseSource) -> PrivateRelease:
        return release(counts, self._account(), source)


@contextmanager
def open_worlds(folder: Path, shop: Shop) -> Iterator[Worlds]:
    """Write the shop to files twice, without and with the shopper, and count both.

    Args:
        folder: empty.
        shop: what to write.
    """
    catalog = write_catalog(folder / "catalog.parquet", shop.category_of)
    with ExitStack() as stack:
        stack.enter_context(remembered_costs())

        def count(name: str, lines: Sequence[Line]) -> SecretCounts:
            events = write_events(folder / f"{name}.parquet", lines)
            counting = stack.enter_context(prepare(events, catalog, shop.settings))
            used, end = before_until(counting.events.table, shop.settings)
            return _Remembering(
                counting.engine, used, counting.catalog, end=end, settings=shop.settings
            )

        without = count("without", shop.lines)
        yield Worlds(without, count("with", [*shop.lines, *shop.shopper]), shop.settings)


@contextmanager
def remembered_costs() -> Iterator[None]:
    """Compute scales, thresholds and costs once: they are the same for every release."""
    names = (
        *("rho_for", "epsilon_of", "threshold_for", "threshold_cost", "gaussian_cost"),
        "_gaussian_threshold",
    )
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch.object(noise, name, cache(getattr(noise, name))))
        yield


@contextmanager
def everybody_counts_whole() -> Iterator[None]:
    """Remove the portions: a shopper of many units counts in full in each of them."""
    with mock.patch.object(Portion, "of", return_value=noise.UNIT):
        yield
