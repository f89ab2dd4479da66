"""The whole way, step by step, with the same public functions that the commands call."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Final

from shelfrank.consent.policy import Policy
from shelfrank_training.aggregates.run import aggregate
from shelfrank_training.aggregates.settings import AggregateSettings
from shelfrank_training.demo.household import (
    Shown,
    Signed,
    held_out_by_lines,
    read_purchases,
    show_household,
)
from shelfrank_training.demo.source import Excluded, Source, count_excluded, write_source
from shelfrank_training.demo.timing import RankTimes, time_ranking
from shelfrank_training.errors import DataError
from shelfrank_training.evaluate.run import Settings, evaluate
from shelfrank_training.events import Holdout
from shelfrank_training.publish.build import build_bundle, sign_bundle
from shelfrank_training.publish.card import read_figures
from shelfrank_training.publish.files import PRIVATE_MODE, PUBLIC_MODE, write_file
from shelfrank_training.publish.keys import keygen
from shelfrank_training.train import Trained, TrainSettings, train

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank_training.aggregates.folder import Aggregates
    from shelfrank_training.evaluate.evaluation import Evaluation
    from shelfrank_training.progress import Progress
    from shelfrank_training.publish.card import Measured

CUTOFF: Final = datetime(2017, 12, 1, tzinfo=UTC)
"""History before, what came true after: the last month of the data."""

HOLDOUT: Final = Holdout(share=0.2)
"""A fifth of the households is kept out of training; the weights never saw them either."""

MIN_SHOPPERS: Final = 20
MAX_ITEMS: Final = 100

_VALIDITY: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Everything the demo found.

    Attributes:
        source: the data set.
        excluded: what the policy keeps out of it.
        policy: the demo shop's.
        aggregates: what training saw.
        trained: the model.
        bundle: the signed file.
        shown: one household's device.
        evaluation: all held-out households.
        times: how long a ranking takes.
    """

    source: Source
    excluded: Excluded
    policy: Policy
    aggregates: Aggregates
    trained: Trained
    bundle: Path
    shown: Shown
    evaluation: Evaluation
    times: RankTimes


def run_demo(out: Path, *, overwrite: bool = False, progress: Progress) -> Demo:
    """Take the data set the whole way; every intermediate result stays in `out`.

    Args:
        out: folder for the files.
        overwrite: replace an older demo.
        progress: who hears about the steps.

    Raises:
        MissingExtraError: the data set is not installed.
        DataError: `out` exists.
    """
    _make_folder(out, overwrite=overwrite)
    policy_file = out / "policy.toml"
    policy_bytes = resources.files(__package__).joinpath("policy.toml").read_bytes()
    policy_file.write_bytes(policy_bytes)
    policy = Policy.parse(policy_bytes)
    with progress.stage("read the data set"):
        source = write_source(out)
        excluded = count_excluded(source, policy)
    aggregates = aggregate(
        source.events,
        source.catalog,
        out / "aggregates",
        AggregateSettings(
            policy=policy,
            min_shoppers=MIN_SHOPPERS,
            max_items=MAX_ITEMS,
            holdout=HOLDOUT,
            until=CUTOFF,
        ),
        progress=progress,
    )
    trained = train(
        out / "aggregates",
        source.catalog,
        out / "model",
        settings=TrainSettings(policy=policy_file),
        progress=progress,
    )
    evaluation = evaluate(out / "model", source.events, Settings(cutoff=CUTOFF), progress=progress)
    signed = _sign(out, source.events, _figures(evaluation))
    households = held_out_by_lines(source.events, HOLDOUT, CUTOFF)
    middle = households[len(households) // 2]
    shown = show_household(out, signed, middle, cutoff=CUTOFF, progress=progress)
    with progress.stage("time a ranking"):
        past = [p for p in read_purchases(source.events, households[-1]) if p.time < CUTOFF]
        times = time_ranking(signed.bundle, signed.root, past, now=CUTOFF)
    return Demo(
        source=source,
        excluded=excluded,
        policy=policy,
        aggregates=aggregates,
        trained=trained,
        bundle=signed.bundle,
        shown=shown,
        evaluation=evaluation,
        times=times,
    )


def _make_folder(out: Path, *, overwrite: bool) -> None:
    if out.exists():
        if not overwrite:
            raise DataError(f"{out} exists already", hint="choose another folder, or --force")
        if any(out.iterdir()) and not (out / "policy.toml").is_file():
            raise DataError(f"{out} holds no demo, so it is not replaced")
        shutil.rmtree(out)
    out.mkdir(parents=True)


def _figures(evaluation: Evaluation) -> Measured:
    """Take the way of ``--json`` and ``--figures``, so that the card is made as everybody's is."""
    return read_figures(json.dumps(evaluation.to_json()).encode(), where="figures")


def _sign(out: Path, events: Path, figures: Measured) -> Signed:
    """Make keys as `shelfrank bundle keygen` does, build, sign."""
    made = keygen(expires=CUTOFF + _VALIDITY)
    root, bundle = out / "root.json", out / "complete-journey-1.shelfrank"
    write_file(root, made.root, mode=PUBLIC_MODE)
    write_file(out / "bundle.key", made.bundle_key.to_pem(), mode=PRIVATE_MODE)
    write_file(out / "root.key", made.root_key.to_pem(), mode=PRIVATE_MODE)
    unsigned = build_bundle(
        out / "model",
        name="complete-journey",
        version=1,
        issued_at=CUTOFF,
        expires=CUTOFF + _VALIDITY,
        root=made.root,
        figures=figures,
    )
    write_file(bundle, sign_bundle(unsigned, made.bundle_key))
    return Signed(bundle=bundle, root=root, events=events)
