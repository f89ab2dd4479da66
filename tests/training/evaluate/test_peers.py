"""The comparison with peers: who sees what, and that everybody is measured alike.

Peers themselves run only in environments of their own, never here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.peers.comparison import compare
from benchmarks.peers.environments import Environment
from benchmarks.peers.exchange import (
    HISTORIES,
    ITEMS,
    NOTHING,
    PLACES,
    TRAINING,
    Answer,
    Cost,
    Rows,
    Task,
)
from benchmarks.peers.problem import Problem, Shoppers, reported_problem, tuning_problem
from benchmarks.peers.roster import PEERS
from benchmarks.peers.theirs.recommender import completed
from benchmarks.peers.theirs.tifu_knn import TifuKnn, basket_weights
from benchmarks.peers.tuning import Desk, choose
from shelfrank_training.evaluate import metrics
from shelfrank_training.evaluate.baselines import PersonalFrequency, Popularity
from shelfrank_training.evaluate.histories import SourceEvent, keep_all
from shelfrank_training.evaluate.tally import SCOPES
from support.measuring import CUTOFF, N_ITEMS, UNIVERSE, shopper, wants

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from benchmarks.peers.exchange import Scope

INNER = CUTOFF - timedelta(days=3)

# The last one buys nothing new.
KEPT_OUT = [
    shopper([1, 2, 3], [1, 40, 41]),
    shopper([5, 6], [6, 50]),
    shopper([7], [8]),
    shopper([9], [9]),
]
OTHERS = [shopper([10, 11, 12, 13, 14], [15]), shopper([20, 21, 22, 23], []), shopper([30], [31])]


def reported(*, cutoff: datetime = CUTOFF) -> Problem:
    everybody = Shoppers(kept_out=KEPT_OUT, others=OTHERS)
    return reported_problem(everybody, UNIVERSE, keep_all(), cutoff=cutoff)


def tuned(everybody: Shoppers) -> Problem:
    return tuning_problem(everybody, UNIVERSE, keep_all(), cutoff=CUTOFF, inner=INNER)


def read(problem: Problem, folder: Path) -> Task:
    problem.write(folder)
    return Task.read(folder)


def microseconds(time: datetime) -> int:
    return round((time - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)


def test_nothing_from_the_cutoff_on_is_in_what_peers_are_given(tmp_path: Path) -> None:
    # Items 15, 31 and 40 to 50 are bought only after the cutoff, by training shoppers or measured.
    task = read(reported(), tmp_path)

    assert task.rows.time.max() < microseconds(CUTOFF)
    assert not set(task.rows.item.tolist()) & {15, 31, 40, 41, 50, 8}


def test_peers_are_given_the_measured_shoppers_histories_and_the_others_events(
    tmp_path: Path,
) -> None:
    task = read(reported(), tmp_path)

    assert [history.tolist() for history in task.histories()] == [[1, 2, 3], [5, 6], [7], [9]]
    assert Rows.read(tmp_path / HISTORIES).shopper.tolist() == [0, 0, 0, 1, 1, 2, 3]
    others = Rows.read(tmp_path / TRAINING)
    assert others.item.tolist() == [10, 11, 12, 13, 14, 20, 21, 22, 23, 30]
    assert others.shopper.tolist() == [4] * 5 + [5] * 4 + [6]
    assert (task.n_asked, task.n_shoppers, task.n_items) == (4, 7, N_ITEMS)


def test_histories_are_as_the_device_stores_them(tmp_path: Path) -> None:
    rules = replace(
        keep_all(),
        records=lambda _kind, item_id: item_id != UNIVERSE.item_ids[2],
        coarsen=lambda time: time.replace(day=1),
    )
    everybody = Shoppers(kept_out=KEPT_OUT[:1], others=OTHERS)

    read(reported_problem(everybody, UNIVERSE, rules, cutoff=CUTOFF), tmp_path)

    stored = Rows.read(tmp_path / HISTORIES)
    assert stored.item.tolist() == [1, 3]
    assert set(stored.time.tolist()) == {microseconds(CUTOFF.replace(month=11))}


def test_tuning_sees_no_kept_out_shopper_and_nothing_from_the_cutoff_on(tmp_path: Path) -> None:
    plain = Shoppers(kept_out=[shopper([1, 2, 3, 4, 5], [6])], others=OTHERS)
    late = [SourceEvent(time=CUTOFF + timedelta(days=9), item_id=UNIVERSE.item_ids[59])]
    changed = Shoppers(
        kept_out=[shopper([50, 51], [52])],
        others=[[*[row for row in rows if row.time < CUTOFF], *late] for rows in OTHERS],
    )

    first, second = tuned(plain), tuned(changed)
    first.write(tmp_path / "plain")
    second.write(tmp_path / "changed")

    assert [moment.targets.tolist() for moment in first.moments] == [[12, 13, 14], [21, 22, 23]]
    assert [m.targets.tolist() for m in second.moments] == [
        m.targets.tolist() for m in first.moments
    ]
    for name in (ITEMS, TRAINING, HISTORIES):
        assert (tmp_path / "plain" / name).read_bytes() == (
            tmp_path / "changed" / name
        ).read_bytes()


def test_who_is_one_too_many_to_tune_on_is_learned_from_up_to_the_same_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.peers.problem.MAX_TUNED_ON", 1)
    problem = tuned(Shoppers(kept_out=KEPT_OUT, others=OTHERS))

    task = read(problem, tmp_path)

    assert [moment.targets.tolist() for moment in problem.moments] == [[12, 13, 14]]
    assert Rows.read(tmp_path / TRAINING).item.tolist() == [20]
    assert task.rows.time.max() < microseconds(INNER)


def test_a_peers_ranking_is_worth_what_the_same_ranking_of_ours_is() -> None:
    problem = reported()
    frequency = PersonalFrequency(UNIVERSE)
    rankings: dict[Scope, npt.NDArray[np.int64]] = {}
    for scope in SCOPES:
        rankings[scope] = np.array(
            [
                metrics.top_k(
                    frequency(moment.history, now=moment.now, in_visit=moment.in_visit),
                    PLACES,
                    seen=UNIVERSE.rows([event.item_id for event in moment.history])
                    if scope == "new"
                    else None,
                )
                for moment in problem.moments
            ]
        )

    found = compare(
        problem,
        {"model": wants(40, 8), "popularity": Popularity(UNIVERSE), "frequency": frequency},
        {"peer": rankings},
        n_resamples=50,
    )

    figures = found.results.metrics
    assert figures["peer"] == figures["frequency"]
    assert figures["peer"] != figures["popularity"]
    assert found.results.paired["peer"] == found.results.paired["frequency"]
    assert found.second["peer"] == found.second["frequency"]
    value = {name: figures[name]["all"]["ndcg@20"].value for name in ("popularity", "peer")}
    assert found.second["peer"]["all"]["ndcg@20"].value == pytest.approx(
        value["popularity"] - value["peer"]
    )


def answered(all_first: int, new_first: int, *, n_asked: int) -> Answer:
    def ranking(first: int) -> npt.NDArray[np.int64]:
        row = np.full(PLACES, NOTHING, dtype=np.int64)
        row[0] = first
        return np.tile(row, (n_asked, 1))

    return Answer(
        rankings={"all": ranking(all_first), "new": ranking(new_first)},
        cost=Cost(fit_seconds=1.5, n_bytes=8),
    )


def test_each_scope_gets_the_setting_that_ranks_best_in_it() -> None:
    problem = reported()
    # Item 6 is a repeat of one shopper, 40 is new to another; 59 is nobody's.
    answers = [
        answered(59, 40, n_asked=4),
        answered(6, 59, n_asked=4),
        answered(59, 59, n_asked=4),
    ]

    chosen = choose([{"k": 1}, {"k": 2}, {"k": 3}], answers, problem)

    assert (chosen["all"].setting, chosen["new"].setting) == ({"k": 2}, {"k": 1})
    assert chosen["new"].tried == 3
    # One of two new items in front for one of three shoppers who bought any.
    assert chosen["new"].ndcg == pytest.approx(1 / (1 + 1 / np.log2(3)) / 3)


def test_an_answer_comes_back_as_it_was_written(tmp_path: Path) -> None:
    given = answered(3, 4, n_asked=2)

    given.write(tmp_path, "name")
    found = Answer.read(tmp_path, "name")

    assert found.cost == given.cost
    for scope in SCOPES:
        np.testing.assert_array_equal(found.rankings[scope], given.rankings[scope])


def test_a_peer_is_not_asked_the_same_thing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(_self: Environment, _task: Path, jobs: list[object], answers: Path) -> None:
        answers.mkdir(exist_ok=True)
        for job in jobs:
            asked.append(job.name)  # type: ignore[attr-defined]
            answered(3, 4, n_asked=4).write(answers, job.name)  # type: ignore[attr-defined]

    monkeypatch.setattr(Environment, "prepare", lambda _self: None)
    monkeypatch.setattr(Environment, "answer", answer)
    desk = Desk(tmp_path, tmp_path / "environments")
    peer = PEERS[0]
    digest = desk.write("task", reported())

    for _ in range(2):
        desk.ask("task", digest, [(peer, peer.grid[0]), (peer, peer.grid[1])], timed=False)
    other = desk.write("task", reported(cutoff=CUTOFF - timedelta(days=1)))
    desk.ask("task", other, [(peer, peer.grid[0])], timed=False)

    assert len(asked) == len(set(asked)) == 3


def test_a_short_list_is_filled_up_with_popular_items_that_are_not_in_it() -> None:
    filled = completed(np.array([9, 1]), None, N_ITEMS)

    assert filled[:6].tolist() == [9, 1, 0, 2, 3, 4]
    assert len(set(filled.tolist())) == PLACES


def test_what_the_shopper_had_is_neither_listed_nor_filled_in() -> None:
    filled = completed(np.array([9, 1]), np.array([1, 2]), 5)

    assert filled.tolist() == [9, 0, 3, 4] + [NOTHING] * (PLACES - 4)


def test_baskets_fade_inside_their_group_and_groups_fade() -> None:
    # Five baskets in at most two groups: three in the newer group, two in the older one.
    weights = basket_weights(5, groups=2, within_decay=0.5, group_decay=0.1)

    older = np.array([0.5, 1]) / 2 * 0.1 / 2
    newer = np.array([0.25, 0.5, 1]) / 3 / 2
    np.testing.assert_allclose(weights, [*older, *newer])


def test_tifu_knn_mixes_own_frequencies_with_those_of_the_nearest_shopper(tmp_path: Path) -> None:
    # The second shopper shares item 1 with the first, the third shares nothing.
    shoppers = [shopper([1, 1], [9]), shopper([1, 2], []), shopper([30, 31], [])]
    everybody = Shoppers(kept_out=shoppers[:1], others=shoppers[1:])
    task = read(reported_problem(everybody, UNIVERSE, keep_all(), cutoff=CUTOFF), tmp_path)
    model = TifuKnn(
        {"neighbours": 1, "within_decay": 1.0, "group_decay": 1.0, "alpha": 0.75, "groups": 1}
    )

    model.fit(task)

    scores = model.scores(0)
    assert scores[1] == pytest.approx(0.75 * 1 + 0.25 * 0.5)
    assert scores[2] == pytest.approx(0.25 * 0.5)
    assert sp.csr_matrix(scores).nnz == 2
    assert model.recommend(np.array([0]), new=True)[0].tolist() == [2]


def test_every_lock_holds_exact_versions_and_names_no_host(tmp_path: Path) -> None:
    for name in {peer.environment for peer in PEERS}:
        text = Environment(name, tmp_path).lock.read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line and line[0] not in " #"]
        assert lines
        assert all("==" in line for line in lines)
        assert "://" not in text
