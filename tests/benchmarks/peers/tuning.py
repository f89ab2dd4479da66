"""Asks peers, remembers what they answered, and chooses each one's setting by NDCG@20."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.peers.environments import HERE, Environment
from benchmarks.peers.exchange import FACTS, HISTORIES, ITEMS, PLACES, SCOPES, TRAINING, Answer, Job
from shelfrank_training.evaluate import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from benchmarks.peers.exchange import Scope, Setting
    from benchmarks.peers.problem import Problem
    from benchmarks.peers.roster import Peer
    from shelfrank_training.evaluate.protocol import Moment, Universe

_DIGITS: Final = 12


class Desk:
    """Where questions are put to peers; an answer that is there already is not asked for again.

    Args:
        folder: keeps tasks and answers.
        environments: keeps the peers' environments.
    """

    def __init__(self, folder: Path, environments: Path) -> None:
        self._folder = folder
        self._environments = environments

    def write(self, name: str, problem: Problem) -> str:
        """Write a problem as a task and return its digest."""
        task = self._folder / name
        problem.write(task)
        files = [(task / file).read_bytes() for file in (ITEMS, TRAINING, HISTORIES, FACTS)]
        return _digest(*files)

    def ask(
        self, name: str, digest: str, asked: Sequence[tuple[Peer, Setting]], *, timed: bool
    ) -> list[Answer]:
        """Put one task to several peers, all of one environment.

        Args:
            name: of the task.
            digest: of its contents.
            asked: peers of one environment, with their settings.
            timed: whether it matters how long one shopper takes.

        Raises:
            TrainingError: a peer failed.
        """
        environment = Environment(
            asked[0][0].environment, self._environments / asked[0][0].environment
        )
        answers = self._folder / "answers"
        jobs = [_job(peer, setting, digest, environment, timed=timed) for peer, setting in asked]
        missing = {job.name: job for job in jobs if not (answers / f"{job.name}.json").is_file()}
        if missing:
            environment.prepare()
            environment.answer(self._folder / name, list(missing.values()), answers)
        return [Answer.read(answers, job.name) for job in jobs]


def _job(
    peer: Peer, setting: Setting, digest: str, environment: Environment, *, timed: bool
) -> Job:
    """Return a job whose name changes with all that its answer depends on."""
    module = peer.model.partition(":")[0]
    source = (HERE / "theirs" / f"{module}.py").read_bytes()
    told = json.dumps([peer.model, setting, digest, timed], sort_keys=True).encode()
    short = _digest(told, source, environment.lock.read_bytes())
    return Job(
        name=f"{peer.name.replace(' ', '_')}-{short}",
        peer=peer.model,
        setting=setting,
        timed=timed,
    )


def _digest(*parts: bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(hashlib.sha256(part).digest())
    return found.hexdigest()[:_DIGITS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The best setting of one peer for one scope.

    Attributes:
        setting: the parameters.
        ndcg: NDCG@20 that it reached on the shoppers it was tuned on.
        tried: how many settings there were.
    """

    setting: Setting
    ndcg: float
    tried: int


def choose(
    grid: Sequence[Setting], answers: Sequence[Answer], problem: Problem
) -> dict[Scope, Choice]:
    """Return the best setting for each scope; of equals, the first.

    Args:
        grid: the settings.
        answers: what the model answered under each of them.
        problem: the one that was asked: it alone knows what would have been right.
    """
    found: dict[Scope, Choice] = {}
    for scope in SCOPES:
        reached = [_mean_ndcg(answer.rankings[scope], problem, scope) for answer in answers]
        best = int(np.argmax(reached))
        found[scope] = Choice(setting=grid[best], ndcg=reached[best], tried=len(grid))
    return found


def wanted(moment: Moment, universe: Universe) -> Mapping[Scope, npt.NDArray[np.intp]]:
    """Return what would have been right in each scope, as `Tally` has it."""
    seen = universe.rows([event.item_id for event in moment.history])
    return {
        "all": moment.targets,
        "new": np.setdiff1d(moment.targets, seen, assume_unique=True),
    }


def _mean_ndcg(rankings: npt.NDArray[np.int64], problem: Problem, scope: Scope) -> float:
    hits, sizes = [], []
    for ranking, moment in zip(rankings, problem.moments, strict=True):
        targets = wanted(moment, problem.universe)[scope]
        if targets.size:
            hits.append(np.isin(ranking, targets))
            sizes.append(targets.size)
    if not hits:
        return 0.0
    return float(metrics.ndcg(np.array(hits), np.array(sizes, dtype=np.int64), PLACES).mean())
