"""Threads rank the very same: in the same order, with the same failures."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shelfrank_training.evaluate import crew as crews
from shelfrank_training.evaluate.baselines import PersonalFrequency, Popularity
from shelfrank_training.evaluate.crew import Crew
from shelfrank_training.evaluate.histories import keep_all
from shelfrank_training.evaluate.run import Settings, collect
from shelfrank_training.evaluate.tally import SCOPES, Tally
from support.measuring import CUTOFF, N_ITEMS, UNIVERSE, Fixed, shopper

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from shelfrank.types import Event

NEXT = Settings(cutoff=CUTOFF, protocol="next")
SHOPPERS = [shopper([at, at + 1], [(at * 7) % N_ITEMS, at + 1, 50]) for at in range(40)]


def tallied(workers: int | None) -> Tally:
    tally = Tally(
        UNIVERSE,
        {"frequency": PersonalFrequency(UNIVERSE), "popularity": Popularity(UNIVERSE)},
    )
    if workers is None:
        collect(tally, SHOPPERS, keep_all(), NEXT)
    else:
        with Crew(tally, workers=workers) as crew:
            collect(crew, SHOPPERS, keep_all(), NEXT)
    return tally


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_tally_is_the_same_with_any_number_of_threads_and_with_none(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crews, "_PIECE", 5)  # 24 pieces, more than wait at a time

    alone, together = tallied(None), tallied(workers)

    assert together.n_shoppers == alone.n_shoppers == len(SHOPPERS)
    for scope in SCOPES:
        ours, theirs = together.trials[scope], alone.trials[scope]
        for name in ("shopper", "n_targets", "in_band", "n_known", "ranking", "asker"):
            assert getattr(ours, name) == getattr(theirs, name), name
        for model in alone.models:
            assert np.array_equal(
                np.concatenate(ours.hits[model]), np.concatenate(theirs.hits[model])
            )
            assert np.array_equal(np.array(ours.rankings[model]), np.array(theirs.rankings[model]))


def test_two_threads_rank_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "_PIECE", 1)
    meet = threading.Barrier(2, timeout=30)

    def waits_for_another(_history: Sequence[Event]) -> npt.NDArray[np.float64]:
        meet.wait()
        return np.zeros(N_ITEMS)

    tally = Tally(UNIVERSE, {"model": Fixed(waits_for_another)})
    with Crew(tally, workers=2) as crew:
        collect(crew, [shopper([1], [2]), shopper([3], [4])], keep_all(), NEXT)

    assert tally.n_shoppers == 2


def test_what_a_model_raises_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "_PIECE", 1)
    tally = Tally(UNIVERSE, {"model": Fixed(lambda _: np.zeros(3))})

    with pytest.raises(ValueError, match="scores of shape"), Crew(tally, workers=2) as crew:
        collect(crew, SHOPPERS, keep_all(), NEXT)


def test_a_failure_while_reading_is_told_and_nothing_is_left_running() -> None:
    tally = Tally(UNIVERSE, {"model": Popularity(UNIVERSE)})
    before = threading.active_count()

    with pytest.raises(OSError, match="gone"), Crew(tally, workers=2):
        raise OSError("gone")

    assert tally.n_shoppers == 0
    assert threading.active_count() == before


def test_nought_threads_are_misuse() -> None:
    with pytest.raises(ValueError, match="workers is 0, wanted at least 1"):
        Crew(Tally(UNIVERSE, {"model": Popularity(UNIVERSE)}), workers=0)
