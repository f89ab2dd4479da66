"""Subtracting published numbers from each other: of two releases, of two tables of one (P8).

Everybody but the target is known to the attacker. Where all numbers are exact, a difference of two
of them is exact, too, however many shoppers stand behind either: *a threshold is not differential
privacy*, and the tests that show it are kept, so that nobody claims it. With noise the same
attackers, and the best one there can be, are right no more often than (epsilon, delta) permits.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from scipy import stats

from shelfrank_training.aggregates import AggregateSettings, prepare
from shelfrank_training.aggregates.noise import OPENDP
from support.attackers import WHOLE, numbers_of
from support.audit_shops import Shop, Worlds, open_worlds
from support.noise_sources import Exact
from support.shop import START, Line, aggregate_lines, write_catalog, write_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from shelfrank_training.aggregates.noise import NoiseSource
    from support.attackers import Number

EPSILON: Final = 1.0
DELTA: Final = 1e-6

NEVER: Final = 1e-6
"""Chance that real noise makes a sound release fail a test here."""

RUNS: Final = 150
"""Releases of each input with real noise."""

GROUP: Final = 1500
"""Shoppers of a kind: at epsilon 1 a pair of items needs about 850 to be published."""

BASKETS: Final = [
    ("bread", "butter"),
    ("red", "green"),
    ("red", "blue"),
    ("green", "blue"),
    ("cup", "tea"),
    ("cup", "mug"),
    # So that pairs of items go together more than their categories do, and are published.
    ("roll",),
    ("cheese",),
    ("coffee", "juice"),
]
"""What `GROUP` shoppers (a hundred where there is no noise) each have."""

CATEGORIES: Final = {
    "bakery": ("bread", "roll"),
    "dairy": ("butter", "cheese"),
    "colours": ("red", "green", "blue"),
    "crockery": ("cup", "mug"),
    "drinks": ("tea", "coffee", "juice"),
}
TARGET: Final = ("bread", "red", "green", "blue", "mug", "tea")
"""Bread without butter, all three colours, and tea with a mug: each as nobody else."""

UNTIL: Final = (START + timedelta(days=1)).replace(tzinfo=UTC)


def bread_without_butter(numbers: Mapping[Number, float]) -> float:
    """Subtract a table from another: items and pairs."""
    return numbers["items", "bread", "shoppers"] - numbers["pairs", "bread", "butter", "shoppers"]


def all_three_colours(numbers: Mapping[Number, float]) -> float:
    """Inclusion and exclusion over three tables give a number that none of them publishes."""
    return (
        numbers["categories", "colours", "shoppers"]
        - sum(numbers["items", item, "shoppers"] for item in ("red", "green", "blue"))
        + sum(
            numbers["pairs", *pair, "shoppers"]
            for pair in (("blue", "green"), ("blue", "red"), ("green", "red"))
        )
    )


def mug_and_tea_without_cup(numbers: Mapping[Number, float]) -> float:
    """Take the published pair off its categories' pair: what is left is the suppressed pair."""
    return (
        numbers["category_pairs", "crockery", "drinks", "shoppers"]
        - numbers["pairs", "cup", "tea", "shoppers"]
    )


DIFFERENCES: Final = (bread_without_butter, all_three_colours, mug_and_tea_without_cup)


def shop(settings: AggregateSettings, *, group: int = GROUP) -> Shop:
    return Shop(
        lines=[
            Line(shopper=f"s{kind}-{number}", item=item)
            for kind, basket in enumerate(BASKETS)
            for number in range(group)
            for item in basket
        ],
        shopper=[Line(shopper="target", item=item) for item in TARGET],
        category_of={item: category for category, items in CATEGORIES.items() for item in items},
        settings=settings,
    )


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[Number, int], dict[Number, int]]:
    """Return what releases with a threshold alone publish, without and with the target."""
    folder, settings = tmp_path_factory.mktemp("exact"), AggregateSettings(until=UNTIL)
    found = shop(settings, group=100)
    catalog = write_catalog(folder / "catalog.parquet", found.category_of)

    def publish(name: str, lines: list[Line]) -> dict[Number, int]:
        events = write_events(folder / f"{name}.parquet", lines)
        with prepare(events, catalog, settings) as counting:
            return numbers_of(counting.release(settings).aggregates)

    without = publish("without", [*found.lines])
    return without, publish("with", [*found.lines, *found.shopper])


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    settings = AggregateSettings(epsilon=EPSILON, delta=DELTA, until=UNTIL)
    with open_worlds(tmp_path_factory.mktemp("worlds"), shop(settings)) as opened:
        yield opened


# --- A threshold alone ---


@pytest.mark.parametrize("difference", [bread_without_butter, all_three_colours])
def test_a_threshold_is_not_differential_privacy_two_tables_of_one_release(
    exact: tuple[dict[Number, int], dict[Number, int]],
    difference: Callable[[Mapping[Number, float]], float],
) -> None:
    without, with_target = exact

    # Every number subtracted stands for 50 shoppers or more; the rest stands for one.
    assert min(n for name, n in with_target.items() if name[-1] == "shoppers") >= 50
    assert ("pairs", "mug", "tea", "shoppers") not in with_target
    assert (difference(without), difference(with_target)) == (0, 1)


def test_a_threshold_is_not_differential_privacy_two_releases_that_differ_by_one_shopper(
    exact: tuple[dict[Number, int], dict[Number, int]],
) -> None:
    before, after = exact

    rows = [name for name in after if name[0] == "items" and name[-1] == "shoppers"]
    rose = {name[1] for name in rows if after[name] != before[name]}

    # The whole basket, though each of its numbers stands for a hundred shoppers or more.
    assert rose == set(TARGET)


def test_a_suppressed_pair_does_not_follow_from_its_categories(tmp_path: Path) -> None:
    # 49 shoppers have a mug and tea: one too few. Who has tea and any crockery has a cup or a mug,
    # so at least 149 - 100 would have a mug; and as their pair is suppressed, at most 49 have.
    kinds = {("cup", "tea"): 100, ("cup", "mug"): 100, ("mug", "tea"): 49}
    lines = [
        Line(shopper=f"{kind}-{number}", item=item)
        for kind, shoppers in kinds.items()
        for number in range(shoppers)
        for item in kind
    ]
    category_of = {"cup": "crockery", "mug": "crockery", "tea": "drinks"}

    found = numbers_of(aggregate_lines(tmp_path, lines, category_of, AggregateSettings()))

    # The mug goes as a whole, so nothing is left to be subtracted.
    assert ("items", "mug", "shoppers") not in found
    assert ("pairs", "mug", "tea", "shoppers") not in found
    assert found["category_pairs", "crockery", "drinks", "shoppers"] == 100
    assert found["pairs", "cup", "tea", "shoppers"] == 100


# --- With noise ---


def wins(
    worlds: Worlds,
    seen: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    difference: Callable[[Mapping[Number, float]], float],
) -> int:
    """Count how often an attacker is right who believes in the target from one half on."""
    without, with_target = (
        [difference(dict(zip(worlds.attacker.names, row, strict=True))) >= 0.5 for row in rows]
        for rows in seen
    )
    return without.count(False) + with_target.count(True)


def best_wins(worlds: Worlds, seen: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]) -> int:
    """Count the same for the attacker who weighs everything that is published.

    And who knows the exact numbers without the target: more than any earlier release says.
    """
    half = len(seen[0]) // 2
    worlds.attacker.learn(np.concatenate([rows[:half] for rows in seen]))
    scores = [worlds.attacker.by_size(rows, WHOLE) for rows in seen]
    cut = (np.mean(scores[0][:half]) + np.mean(scores[1][:half])) / 2
    return int((scores[0][half:] < cut).sum() + (scores[1][half:] >= cut).sum())


def most_wins(games: int) -> int:
    """Return how many wins (epsilon, delta) permits, but for a chance of `NEVER` over all tests.

    Who is told one of two neighbouring inputs, chosen by a coin, cannot be right more often than
    (e^epsilon + delta) / (1 + e^epsilon) of the time.
    """
    permitted = (np.exp(EPSILON) + DELTA) / (1 + np.exp(EPSILON))
    return int(stats.binom.isf(NEVER / (len(DIFFERENCES) + 1), games, permitted))


def watch(worlds: Worlds, source: NoiseSource, runs: int = RUNS) -> list[tuple[int, int]]:
    """Return wins and games of each attacker."""
    seen = worlds.observe(runs, source)
    found = [(wins(worlds, seen, difference), 2 * runs) for difference in DIFFERENCES]
    return [*found, (best_wins(worlds, seen), 2 * (runs - runs // 2))]


@pytest.mark.slow
def test_with_noise_no_attacker_is_right_more_often_than_epsilon_permits(worlds: Worlds) -> None:
    for won, games in watch(worlds, OPENDP):
        assert won <= most_wins(games) < games


def test_without_the_noise_every_attacker_is_always_right(worlds: Worlds) -> None:
    # And so would the test above find out: it permits fewer wins than games.
    assert all(won == games for won, games in watch(worlds, Exact(), runs=2))


def test_with_noise_what_is_subtracted_is_published(worlds: Worlds) -> None:
    without, _ = worlds.observe(1, Exact())
    numbers = dict(zip(worlds.attacker.names, without[0], strict=True))

    assert all(difference(numbers) == 0 for difference in DIFFERENCES)
