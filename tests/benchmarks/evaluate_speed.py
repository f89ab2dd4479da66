"""How fast `evaluate` ranks: next-predictions a second over a catalog of 40,000 items.

    python tests/benchmarks/evaluate_speed.py [--items 40000] [--predictions 60000]

A made-up shop of sessions: walks along a ring of items, popular ones more often. Counted, trained
and evaluated as a shop would; only the evaluation is timed, reading and bootstrap included. The aim
(issue 4): 60,000 predictions over 40,000 items in under three minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shelfrank_training.aggregates.run import aggregate
from shelfrank_training.aggregates.settings import AggregateSettings
from shelfrank_training.cli.console import Bars
from shelfrank_training.evaluate.crew import default_workers
from shelfrank_training.evaluate.run import Settings, evaluate
from shelfrank_training.events import Holdout
from shelfrank_training.train import TrainSettings, train

if TYPE_CHECKING:
    import numpy.typing as npt

CUTOFF = datetime(2020, 3, 1, tzinfo=UTC)
SEED = 4
SESSION = 5  # events: all but the first are predictions
PER_ITEM = 12  # training events for each item, so that every item has pairs


def sessions(rng: np.random.Generator, n_sessions: int, n_items: int) -> npt.NDArray[np.int64]:
    """Return the items of each session: shape (n_sessions, SESSION)."""
    start = (n_items * rng.random(n_sessions) ** 2).astype(np.int64)
    steps = rng.geometric(0.3, (n_sessions, SESSION - 1)) * rng.choice(
        [-1, 1], (n_sessions, SESSION - 1)
    )
    walk = np.concatenate([start[:, np.newaxis], steps], axis=1).cumsum(axis=1)
    return walk % n_items


def write_shop(folder: Path, n_items: int, n_predictions: int) -> None:
    """Write events (each session is a shopper of its own) and the catalog."""
    rng = np.random.default_rng(SEED)
    n_before, n_after = n_items * PER_ITEM // SESSION, n_predictions // (SESSION - 1)
    items = sessions(rng, n_before + n_after, n_items)
    # Every item at least once before the cutoff, so that all compete.
    items.reshape(-1)[:n_items] = np.arange(n_items)
    at = np.arange(n_before + n_after) - n_before
    begin = np.datetime64(CUTOFF.replace(tzinfo=None), "s") + np.where(at < 0, at - 1, at) * 600
    times = begin[:, np.newaxis] + np.arange(SESSION) * 30
    shopper = np.repeat(np.arange(n_before + n_after), SESSION)
    events = {
        "shopper_id": [f"s{number}" for number in shopper.tolist()],
        "item_id": [f"i{number:06}" for number in items.reshape(-1).tolist()],
        "time": times.reshape(-1),
        "kind": ["view"] * shopper.size,
    }
    pq.write_table(pa.table(events), folder / "events.parquet")
    catalog = {"item_id": [f"i{number:06}" for number in range(n_items)]}
    pq.write_table(pa.table(catalog), folder / "catalog.parquet")


def make_model(folder: Path) -> Path:
    """Count and train on what lies before the cutoff."""
    settings = AggregateSettings(
        min_shoppers=1, unprotected=True, holdout=Holdout(share=0.0), until=CUTOFF
    )
    aggregate(folder / "events.parquet", folder / "catalog.parquet", folder / "a", settings)
    train(folder / "a", folder / "catalog.parquet", folder / "m", settings=TrainSettings())
    return folder / "m"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--predictions", type=int, default=60_000)
    parser.add_argument("--workers", type=int, nargs="*", default=sorted({1, default_workers()}))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        write_shop(folder, options.items, options.predictions)
        model = make_model(folder)
        print(f"{os.cpu_count()} cores; seconds by the clock and of processor time")
        print("| workers | items | predictions | clock | processor | predictions a second |")
        print("|---:|---:|---:|---:|---:|---:|")
        settings = Settings(cutoff=CUTOFF, protocol="next")
        for workers in options.workers:
            clock, processor = time.perf_counter(), time.process_time()
            found = evaluate(
                model,
                folder / "events.parquet",
                replace(settings, workers=workers),
                progress=Bars(),
            )
            clock, processor = time.perf_counter() - clock, time.process_time() - processor
            n = found.results.trials["all"]
            print(
                f"| {workers} | {found.n_items:,} | {n:,} | {timedelta(seconds=round(clock))} "
                f"| {timedelta(seconds=round(processor))} | {n / clock:,.0f} |"
            )


if __name__ == "__main__":
    main()
