"""Does it help to know the time of day? Measured on training shoppers alone.

    shelfrank demo
    python tests/benchmarks/by_daypart.py demo-out --cutoff 2017-11-01 --zone America/New_York

Shoppers that `evaluate` would measure are removed first. Of the others, a quarter at a time is
ranked for, before each of its later visits, by a model made from the rest up to the cutoff: once
with the time of day in the shop's zone, once without; and both again as if nobody had a history.
Differences have bootstrap 95 % intervals over shoppers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.choose_constants import FOLDS, MIN_SHOPPERS, make, write_training_events
from shelfrank_training.aggregates import read_aggregates
from shelfrank_training.evaluate.folder import read_universe
from shelfrank_training.evaluate.results import results
from shelfrank_training.evaluate.run import SEED, Settings, collect
from shelfrank_training.evaluate.shipped import open_shipped
from shelfrank_training.evaluate.source import open_shoppers
from shelfrank_training.evaluate.tally import SCOPES, Tally
from shelfrank_training.events import Columns
from shelfrank_training.zones import find_zone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    import numpy.typing as npt

    from shelfrank import Event
    from shelfrank_training.evaluate.results import Results
    from shelfrank_training.evaluate.shipped import Shipped
    from shelfrank_training.evaluate.tally import Scope

METRICS = ("ndcg@20", "recall@20", "mrr@20")
RESAMPLES = 1000


class Stranger:
    """A model that is never told a history."""

    def __init__(self, model: Shipped) -> None:
        self._model = model

    def __call__(
        self,
        history: Sequence[Event],  # noqa: ARG002 - not told
        *,
        now: datetime,
        in_visit: bool,  # noqa: ARG002
    ) -> npt.NDArray[np.float64]:
        return self._model((), now=now, in_visit=False)


def measure(
    folder: Path, work: Path, fold: int, cutoff: datetime, zone: ZoneInfo
) -> dict[str, Results]:
    holdout = make(folder, work, fold, cutoff, zone=zone)
    model = work / f"m{fold}"
    universe = read_universe(model)
    told, untold = (open_shipped(model, universe, now=cutoff, zone=at) for at in (zone, None))
    found = {}
    for name, scorers in (
        ("with their histories", {"told": told, "untold": untold}),
        ("as strangers", {"told": Stranger(told), "untold": Stranger(untold)}),
    ):
        tally = Tally(universe, scorers)
        with open_shoppers(work / "events.parquet", Columns(), holdout) as shoppers:
            collect(tally, shoppers, told.rules, Settings(cutoff=cutoff, protocol="next"))
        found[name] = results(
            tally,
            "next",
            rng=np.random.default_rng(SEED),
            n_resamples=RESAMPLES,
            fewest=MIN_SHOPPERS,
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="events.parquet, catalog.parquet, policy.toml")
    parser.add_argument("--cutoff", type=datetime.fromisoformat, required=True)
    parser.add_argument("--zone", type=find_zone, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        write_training_events(options.folder, work)
        for fold in range(FOLDS):
            found = measure(
                options.folder, work, fold, options.cutoff.replace(tzinfo=UTC), options.zone
            )
            made = read_aggregates(work / f"a{fold}")
            items = made.table("dayparts")["item_id"].unique()
            print(
                f"fold {fold}: {len(items)} of {made.table('items').num_rows} items have dayparts"
            )
            for name, of in found.items():
                print(f" {of.shoppers['all']} shoppers {name}, {of.trials['all']} items taken")
                for scope in SCOPES:
                    for metric in METRICS:
                        print(line(of, scope, metric))


def line(of: Results, scope: Scope, metric: str) -> str:
    told, untold = (of.metrics[model][scope][metric] for model in ("told", "untold"))
    gain = of.paired["untold"][scope][metric]
    return (
        f"  {scope:<4}{metric:<10}{told.value:8.4f} told {untold.value:8.4f} not told "
        f"{gain.value:+8.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
    )


if __name__ == "__main__":
    main()
