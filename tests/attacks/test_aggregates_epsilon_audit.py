"""An audit of the stated epsilon: an attacker plays against many releases of two inputs (P8).

The inputs differ by the shopper who is hardest to hide. What the attacker proves about epsilon must
stay below what a release states, by table and for the whole; and it must rise above as soon as
noise, thresholds or bounds are removed, or the test says nothing. This is the short version;
``python tests/benchmarks/audit_epsilon.py`` plays longer.

Real noise cannot be seeded. With it, what is proved errs with a chance of `NEVER` in a whole test,
so that is how often a sound release fails one. The tests of weakened releases use seeded noise or
none: they give the same answer on every run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from shelfrank_training.aggregates.noise import OPENDP
from support.attackers import WHOLE
from support.audit_shops import Worlds, crowd, edge, everybody_counts_whole, open_worlds, wide
from support.epsilon_audit import audit, gaussian_epsilon
from support.noise_sources import Exact, ExactKeys, Seeded, ShowsAll, TooLittle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shelfrank_training.aggregates.noise import NoiseSource
    from support.epsilon_audit import Finding

NEVER: Final = 1e-6
SELDOM: Final = 0.01

RUNS: Final = 200
"""Releases of each input with real noise. Enough to find noise of a tenth (tested below)."""

MORE_RUNS: Final = 400
"""Of weakened releases: attackers who are never wrong prove epsilon 3.2 with so many."""

FEW_RUNS: Final = 60
"""Of a shop with so many rows that each takes long."""

TABLES: Final = {"shoppers", "items", "pairs", "categories", "category_pairs", "category_repeats"}


@pytest.fixture(scope="module")
def in_a_crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    with open_worlds(tmp_path_factory.mktemp("crowd"), crowd()) as worlds:
        yield worlds


@pytest.fixture(scope="module")
def at_the_edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    with open_worlds(tmp_path_factory.mktemp("edge"), edge()) as worlds:
        yield worlds


def play(
    worlds: Worlds, source: NoiseSource, *, runs: int = MORE_RUNS, failure: float = SELDOM
) -> dict[str, Finding]:
    without, with_shopper = worlds.observe(runs, source)
    return audit(worlds.attacker, without, with_shopper, delta=worlds.delta, failure=failure)


def seeded() -> Seeded:
    return Seeded(np.random.default_rng(0))


@pytest.mark.slow
def test_a_release_gives_away_no_more_than_it_states_of_somebody_whose_rows_are_published(
    in_a_crowd: Worlds,
) -> None:
    stated = in_a_crowd.stated()

    found = play(in_a_crowd, OPENDP, runs=RUNS, failure=NEVER)

    assert set(found) == TABLES | {WHOLE}
    for table, finding in found.items():
        assert finding.epsilon <= stated[table].epsilon, table
        assert finding.gaussian_epsilon <= stated[table].epsilon, table
        assert finding.deviations <= stated[table].deviations, table


def test_the_audit_finds_noise_of_a_tenth_with_so_few_runs(in_a_crowd: Worlds) -> None:
    found = play(in_a_crowd, TooLittle(0.1, seeded()), runs=RUNS, failure=NEVER)

    assert found[WHOLE].gaussian_epsilon > in_a_crowd.stated()[WHOLE].epsilon
    assert found["category_pairs"].gaussian_epsilon > in_a_crowd.stated()["category_pairs"].epsilon


def test_the_audit_finds_missing_noise_in_every_table(in_a_crowd: Worlds) -> None:
    stated = in_a_crowd.stated()

    found = play(in_a_crowd, Exact())

    assert set(found) == TABLES | {WHOLE}
    assert all(finding.epsilon > stated[table].epsilon for table, finding in found.items())


@pytest.mark.slow
def test_a_release_gives_away_no_more_than_it_states_of_somebody_who_decides_what_shows(
    at_the_edge: Worlds,
) -> None:
    stated = at_the_edge.stated()

    found = play(at_the_edge, OPENDP, runs=RUNS, failure=NEVER)

    assert set(found) == {"shoppers", "items", "pairs", WHOLE}
    for table, finding in found.items():
        assert finding.epsilon <= stated[table].epsilon, table
        assert finding.gaussian_epsilon <= stated[table].epsilon, table


def test_the_audit_finds_keys_that_are_chosen_without_noise(at_the_edge: Worlds) -> None:
    stated = at_the_edge.stated()

    found = play(at_the_edge, ExactKeys(seeded()))

    for table in ("items", "pairs", WHOLE):
        assert found[table].epsilon > stated[table].epsilon, table


def test_the_audit_finds_keys_that_only_one_shopper_has(at_the_edge: Worlds) -> None:
    stated = at_the_edge.stated()

    found = play(at_the_edge, ShowsAll())

    for table in ("items", "pairs", WHOLE):
        assert found[table].epsilon > stated[table].epsilon, table


def test_the_audit_finds_a_shopper_of_many_categories_who_counts_in_full(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with open_worlds(tmp_path_factory.mktemp("bounded"), wide()) as bounded:
        stated = bounded.stated()
        sound = play(bounded, seeded(), runs=FEW_RUNS)
    with everybody_counts_whole(), open_worlds(tmp_path_factory.mktemp("whole"), wide()) as whole:
        found = play(whole, seeded(), runs=FEW_RUNS)
        stated_too = whole.stated()

    assert stated_too[WHOLE] == stated[WHOLE]
    assert sound[WHOLE].gaussian_epsilon <= stated[WHOLE].epsilon
    assert found[WHOLE].gaussian_epsilon > stated[WHOLE].epsilon
    assert found["category_pairs"].gaussian_epsilon > stated_too["category_pairs"].epsilon


def test_the_epsilon_of_two_gaussians_is_the_known_one() -> None:
    # Noise of 3.730631634816464 for sensitivity 1: the example of Balle and Wang's own code.
    assert gaussian_epsilon(1 / 3.730631634816464, 1e-5) == pytest.approx(1.0, rel=1e-6)
    assert gaussian_epsilon(0, 1e-5) == 0
