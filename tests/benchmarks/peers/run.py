"""One run: our models, the problem, every peer tuned and asked, all measured together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from benchmarks.peers import ours
from benchmarks.peers.comparison import Entry, compare
from benchmarks.peers.exchange import SCOPES
from benchmarks.peers.problem import read_shoppers, reported_problem, tuning_problem
from benchmarks.peers.roster import PEERS
from benchmarks.peers.tuning import Desk, choose
from shelfrank_training.errors import DataError
from shelfrank_training.evaluate.baselines import PersonalFrequency, Popularity
from shelfrank_training.evaluate.folder import read_universe
from shelfrank_training.evaluate.histories import keep_all
from shelfrank_training.evaluate.shipped import open_shipped, rules_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from benchmarks.peers.comparison import Comparison
    from benchmarks.peers.ours import Made, Source
    from benchmarks.peers.problem import Problem, Shoppers
    from benchmarks.peers.roster import Peer
    from shelfrank_training.evaluate.histories import DeviceRules
    from shelfrank_training.evaluate.shipped import Shipped
    from shelfrank_training.progress import Progress

UNPROTECTED: Final = 1
"""`min_shoppers` of the model that is made without protection."""

UniverseOf = Literal["unprotected", "protected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What is compared, and how.

    Attributes:
        source: what models are made from.
        cutoff: aware; events before it are history, events at it or later are targets.
        work: keeps our models, tasks and the peers' answers.
        environments: keeps the peers' environments.
        min_shoppers: of our second model; the first has 1.
        universe: of which of our models the items compete.
        tune_from: peers are tuned on what lies between here and the cutoff; None takes as much time
            as there is after the cutoff.
        peers: who is compared.
    """

    source: Source
    cutoff: datetime
    work: Path
    environments: Path
    min_shoppers: int = 20
    universe: UniverseOf = "unprotected"
    tune_from: datetime | None = None
    peers: tuple[Peer, ...] = PEERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came out.

    Attributes:
        settings: what was asked for.
        problem: what everybody was asked.
        entries: what is known of each model besides its figures, ours first.
        comparison: the figures.
        tuned_from: peers were tuned on what lies between here and the cutoff.
        n_tuned_on: on how many shoppers.
        n_missing: items that compete and that our second model lacks.
        device_rules: one line on what the policy does to histories.
    """

    settings: RunSettings
    problem: Problem
    entries: Mapping[str, Entry]
    comparison: Comparison
    tuned_from: datetime
    n_tuned_on: int
    n_missing: int
    device_rules: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ours:
    """Our two models, and what all models are asked."""

    made: Mapping[str, Made]
    shipped: Mapping[str, Shipped]
    rules: DeviceRules
    problem: Problem
    tuning: Problem


def run(settings: RunSettings, progress: Progress) -> Report:
    """Compare.

    Args:
        settings: what and how.
        progress: who hears about the long steps.

    Raises:
        DataError: an input is not what it should be, or no shopper counts.
        TrainingError: a peer failed.
    """
    with progress.stage("read the events"):
        source = settings.source
        shoppers = read_shoppers(source.events, source.columns, source.holdout)
        inner = settings.tune_from or mirrored(shoppers, settings.cutoff)
    found = _ours(settings, shoppers, inner, progress)
    problem = found.problem
    if not problem.moments or not found.tuning.moments:
        raise DataError(
            f"{len(problem.moments)} shoppers are left to measure and {len(found.tuning.moments)} "
            "to tune on, wanted at least one each",
            hint="check --cutoff and --tune-from against the times of EVENTS",
        )
    entries = {
        name: Entry(cost=dict.fromkeys(SCOPES, ours.cost(made, shipped, problem.moments)))
        for (name, made), shipped in zip(found.made.items(), found.shipped.values(), strict=True)
    }
    entries |= {"popularity": Entry(), "personal frequency": Entry(note="on the device alone")}
    peers = _peers(settings, found, progress)
    with progress.stage("measure and bootstrap"):
        comparison = compare(
            problem,
            {
                **found.shipped,
                "popularity": Popularity(problem.universe),
                "personal frequency": PersonalFrequency(problem.universe),
            },
            {name: entry.rankings for name, entry in peers.items()},
        )
    return Report(
        settings=settings,
        problem=problem,
        entries=entries | peers,
        comparison=comparison,
        tuned_from=inner,
        n_tuned_on=len(found.tuning.moments),
        n_missing=list(found.shipped.values())[1].n_missing,
        device_rules=found.rules.stated,
    )


def mirrored(shoppers: Shoppers, cutoff: datetime) -> datetime:
    """Return the moment as long before the cutoff as the events go on after it.

    Raises:
        DataError: nothing happened from the cutoff on.
    """
    last = max((rows[-1].time for rows in shoppers.others), default=cutoff)
    if last <= cutoff:
        raise DataError(
            f"training shoppers have no event after the cutoff {cutoff:%Y-%m-%d}, so the time to "
            "tune on cannot be as long as what follows it",
            hint="say --tune-from TIME",
        )
    return cutoff - (last - cutoff)


def _ours(settings: RunSettings, shoppers: Shoppers, inner: datetime, progress: Progress) -> _Ours:
    source, work = settings.source, settings.work
    made: dict[str, Made] = {}
    for min_shoppers in (UNPROTECTED, settings.min_shoppers):
        with progress.stage(f"make our model of min_shoppers {min_shoppers}"):
            made[f"shelfrank {min_shoppers}"] = ours.make(
                source, work, min_shoppers=min_shoppers, until=settings.cutoff
            )
    protected = settings.universe == "protected"
    chosen = list(made.values())[protected]
    competing = settings.min_shoppers if protected else UNPROTECTED
    universe = read_universe(chosen.folder)
    with progress.stage("count what was known when peers are tuned"):
        earlier = work / "aggregates-tuning"
        ours.count(source, earlier, min_shoppers=competing, until=inner)
    shipped = {
        name: open_shipped(model.folder, universe, now=settings.cutoff)
        for name, model in made.items()
    }
    unprotected = next(iter(shipped.values()))
    rules = keep_all() if source.policy is None else rules_of(source.policy, unprotected.catalog)
    return _Ours(
        made=made,
        shipped=shipped,
        rules=rules,
        problem=reported_problem(shoppers, universe, rules, cutoff=settings.cutoff),
        tuning=tuning_problem(
            shoppers, read_universe(earlier), rules, cutoff=settings.cutoff, inner=inner
        ),
    )


def _peers(settings: RunSettings, found: _Ours, progress: Progress) -> dict[str, Entry]:
    desk = Desk(settings.work, settings.environments)
    tuning, reported = desk.write("tuning", found.tuning), desk.write("reported", found.problem)
    entries = {}
    for peer in settings.peers:
        with progress.stage(f"tune {peer.name} over {len(peer.grid)} settings"):
            asked = [(peer, setting) for setting in peer.grid]
            answers = desk.ask("tuning", tuning, asked, timed=False)
            choices = choose(peer.grid, answers, found.tuning)
        with progress.stage(f"ask {peer.name}"):
            asked = [(peer, choices[scope].setting) for scope in SCOPES]
            final = dict(
                zip(SCOPES, desk.ask("reported", reported, asked, timed=True), strict=True)
            )
        entries[peer.name] = Entry(
            rankings={scope: answer.rankings[scope] for scope, answer in final.items()},
            cost={scope: answer.cost for scope, answer in final.items()},
            choices=choices,
            note=peer.note,
        )
    return entries
