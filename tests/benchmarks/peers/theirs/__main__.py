"""Runs in a peer's environment: fits, ranks, takes the time, writes the answers.

python -m benchmarks.peers.theirs TASK JOBS ANSWERS
"""

from __future__ import annotations

import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from benchmarks.peers.exchange import SCOPES, Answer, Cost, Task, read_jobs
from benchmarks.peers.theirs.recommender import completed

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchmarks.peers.exchange import Job, Scope
    from benchmarks.peers.theirs.recommender import Recommender

TIMED: Final = 100
"""Shoppers ranked one by one, the median of whom is stated."""

TIMED_SECONDS: Final = 30.0
"""No further shopper after that: some libraries take a second for each."""


def load(job: Job) -> Recommender:
    """Return the model of a job: ``module:Class`` of this package; only its library is imported."""
    module, _, name = job.peer.partition(":")
    made = getattr(import_module(f"benchmarks.peers.theirs.{module}"), name)(job.setting)
    return cast("Recommender", made)


def answer(job: Job, task: Task) -> Answer:
    """Fit one model and rank for everybody who is asked for."""
    model = load(job)
    start = time.perf_counter()
    model.fit(task)
    fit_seconds = time.perf_counter() - start
    return Answer(
        rankings=rank(model, task),
        cost=Cost(
            fit_seconds=fit_seconds,
            n_bytes=model.n_bytes,
            rank_seconds=_rank_seconds(model, task) if job.timed else None,
        ),
    )


def rank(model: Recommender, task: Task) -> dict[Scope, npt.NDArray[np.int64]]:
    """Return whole rankings: scope → shape (n_asked, places)."""
    histories = task.histories()
    everybody = np.arange(task.n_asked)
    rankings: dict[Scope, npt.NDArray[np.int64]] = {}
    for scope in SCOPES:
        new = scope == "new"
        rankings[scope] = np.stack(
            [
                completed(found, seen if new else None, task.n_items)
                for found, seen in zip(model.recommend(everybody, new=new), histories, strict=True)
            ]
        )
    return rankings


def _rank_seconds(model: Recommender, task: Task) -> float:
    taken = []
    for shopper in range(min(TIMED, task.n_asked)):
        start = time.perf_counter()
        model.recommend(np.array([shopper]), new=False)
        taken.append(time.perf_counter() - start)
        if sum(taken) > TIMED_SECONDS:
            break
    return float(np.median(taken))


def main(task_folder: str, jobs_file: str, answers: str) -> None:
    """Work off a list of jobs."""
    # Of these libraries, about each other's: nothing that a reader of the figures can act on.
    warnings.simplefilter("ignore")
    task = Task.read(Path(task_folder))
    for job in read_jobs(Path(jobs_file)):
        found = answer(job, task)
        found.write(Path(answers), job.name)
        print(f"{job.name}: {found.cost.fit_seconds:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
