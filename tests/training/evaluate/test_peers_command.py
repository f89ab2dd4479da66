"""The whole comparison on a small generated shop, with a peer that answers at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.peers.__main__ import command
from benchmarks.peers.environments import Environment
from benchmarks.peers.exchange import Answer, Cost, Task
from benchmarks.peers.theirs.recommender import completed
from support.generated_shop import CUTOFF, Shape, generate_shop

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.peers.exchange import Job


def popular(task: Task) -> Answer:
    """Rank as if nothing were known of anybody: what popularity does."""
    nothing = np.array([], dtype=np.int64)
    histories = task.histories()
    return Answer(
        rankings={
            "all": np.stack([completed(nothing, None, task.n_items) for _ in histories]),
            "new": np.stack([completed(nothing, seen, task.n_items) for seen in histories]),
        },
        cost=Cost(fit_seconds=2.0, n_bytes=3_000_000, rank_seconds=0.004),
    )


@pytest.mark.slow
def test_everybody_is_in_the_figures_and_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Job] = []

    def answer(_self: Environment, task: Path, jobs: list[Job], answers: Path) -> None:
        answers.mkdir(exist_ok=True)
        given.extend(jobs)
        for job in jobs:
            popular(Task.read(task)).write(answers, job.name)

    monkeypatch.setattr(Environment, "prepare", lambda _self: None)
    monkeypatch.setattr(Environment, "answer", answer)
    shape = Shape(n_items=60, n_categories=6, n_departments=2, mean_visits=6.0)
    shop = generate_shop(tmp_path, np.random.default_rng(1), 150, shape=shape)

    done = CliRunner().invoke(
        command,
        [
            *(str(shop.events), str(shop.catalog), "--cutoff", f"{CUTOFF:%Y-%m-%d}"),
            *("--min-shoppers", "15", "--peer", "implicit ALS", "--title", "A shop"),
            *("--work", str(tmp_path / "work"), "--environments", str(tmp_path / "none")),
            *("--json", str(tmp_path / "f.json"), "--markdown", str(tmp_path / "t.md")),
        ],
        catch_exceptions=False,
    )

    assert done.exit_code == 0
    figures = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    names = ["shelfrank 1", "shelfrank 15", "popularity", "personal frequency", "implicit ALS"]
    assert list(figures["metrics"]) == names
    assert figures["metrics"]["implicit ALS"] == figures["metrics"]["popularity"]
    assert list(figures["paired"]) == names[:2]
    assert figures["costs"]["implicit ALS"]["all"]["bytes"] == 3_000_000
    assert figures["costs"]["shelfrank 1"]["all"]["bytes"] > 0
    page = (tmp_path / "t.md").read_text(encoding="utf-8")
    for name in names:
        assert page.count(f"| {name} |") + page.count(f"| **{name}** |") == 2
    assert "2 s | 3.0 | 4.0 ms" in page
    # Every setting once to tune, and the best one, the first of equals, to be reported.
    assert len(given) == len({job.name for job in given}) == figures_tried(figures) + 1
    assert [job.timed for job in given] == [False] * figures_tried(figures) + [True]


def figures_tried(figures: dict[str, dict[str, dict[str, dict[str, int]]]]) -> int:
    return figures["settings"]["implicit ALS"]["all"]["tried"]
