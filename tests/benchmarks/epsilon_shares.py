"""What noise costs on a generated shop of known structure: shares of the unprotected quality.

    PYTHONPATH=tests python tests/benchmarks/epsilon_shares.py --shoppers 30000 --draws 10

Makes the shop of `support.generated_shop`, with more shoppers who are kept out to measure on, and
runs what ``shelfrank privacy curve`` runs. Constants of the release were chosen on prototypes of
this shop with other seeds, which no command repeats, and those of the models on real shops'
training shoppers and on the prototypes. Whoever changes one uses ``--seed 101``; the tables that
are reported are made with ``--seed 202`` (the default), which no constant has seen.

The last line ranks by what each shopper truly prefers: no model can do better on new items.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shelfrank_training.cli.console import Bars
from shelfrank_training.evaluate import metrics
from shelfrank_training.evaluate.curves import CurveSettings, draw_curves
from shelfrank_training.evaluate.curves.advice import in_per_cent
from shelfrank_training.evaluate.curves.sections import describe
from shelfrank_training.evaluate.sections import with_interval
from shelfrank_training.events import Holdout
from support.generated_shop import CUTOFF, generate_shop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shelfrank_training.evaluate.curves import Curves
    from support.generated_shop import GeneratedShop

CHOOSING_SEED = 101
REPORTED_SEED = 202
EPSILONS = (8.0, 3.0, 1.0)

# The floor of the default policy.
MIN_SHOPPERS = 20

# Of these about half have a history and buy something new afterwards.
MEASURED = 8_000


@dataclass
class Basket:
    """What a shopper took, as rows of the catalog."""

    before: set[int] = field(default_factory=set)
    after: set[int] = field(default_factory=set)


def best_possible(shop: GeneratedShop, holdout: Holdout) -> float:
    """Return the NDCG@20 on new items of a ranking by each measured shopper's true preferences."""
    events = pq.read_table(shop.events, columns=["shopper_id", "item_id", "time"])
    row_of = {item_id: row for row, item_id in enumerate(shop.items.ids)}
    kept_out = {
        shopper_id: row
        for row, shopper_id in enumerate(shop.shopper_ids)
        if holdout.contains(shopper_id)
    }
    early = pc.less(events["time"], CUTOFF.replace(tzinfo=None))
    theirs = pc.is_in(events["shopper_id"], value_set=pc.cast(list(kept_out), "string"))
    known = np.zeros(len(row_of), dtype=np.bool_)
    learned = events.filter(pc.and_(early, pc.invert(theirs)))["item_id"].unique().to_pylist()
    known[[row_of[item_id] for item_id in learned]] = True
    baskets: dict[str, Basket] = {}
    lines = events.append_column("early", early).filter(theirs)
    for line in lines.select(["shopper_id", "item_id", "early"]).to_pylist():
        basket = baskets.setdefault(line["shopper_id"], Basket())
        (basket.before if line["early"] else basket.after).add(row_of[line["item_id"]])
    found = []
    for shopper_id, basket in baskets.items():
        new = np.array(
            [item for item in basket.after - basket.before if known[item]], dtype=np.intp
        )
        if basket.before and new.size:
            likely = np.where(known, shop.preference(kept_out[shopper_id]), -np.inf)
            seen = np.array(sorted(basket.before), dtype=np.intp)
            hits = np.isin(metrics.top_k(likely, 20, seen=seen), new)[np.newaxis]
            found.append(metrics.ndcg(hits, np.array([new.size]), 20)[0])
    return float(np.mean(found))


def measure(
    folder: Path, *, seed: int, shoppers: int, measured: int, draws: int, epsilons: Sequence[float]
) -> tuple[Curves, float]:
    """Make a shop and the models; return the curve and the best figure possible."""
    rng = np.random.default_rng(seed)
    shop = generate_shop(folder, rng, shoppers + measured)
    holdout = Holdout(share=measured / (shoppers + measured))
    curves = draw_curves(
        shop.events,
        shop.catalog,
        CurveSettings(
            cutoff=CUTOFF,
            holdout=holdout,
            epsilons=tuple(epsilons),
            min_shoppers=MIN_SHOPPERS,
            thresholds=(1, MIN_SHOPPERS),
            multiples=(),
            draws=draws,
            max_measured=measured,
        ),
        progress=Bars(),
    )
    return curves, best_possible(shop, holdout)


def show(curves: Curves, best: float) -> None:
    """Print the table as Markdown."""
    print(
        f"\n{curves.n_shoppers:,} shoppers with a history, {curves.measured['new']:,} measured, "
        f"{curves.n_items:,} items; new items, NDCG@20\n"
    )
    print("| | items | pairs | NDCG@20 | share | popularity, as protected | ahead of it |")
    print("|---|---|---|---|---|---|---|")
    for point in curves.points:
        print(
            f"| {describe(point)} | {point.n_items:,.0f} | {point.n_pairs:,.0f} "
            f"| {point.quality['new']['ndcg@20'].value:.4f} "
            f"| {in_per_cent(point.share['new']['ndcg@20'])} "
            f"| {in_per_cent(point.popularity['new']['ndcg@20'])} "
            f"| {with_interval(point.ahead['new']['ndcg@20'], signed=True)} |"
        )
    reference = curves.unprotected.quality["new"]["ndcg@20"].value
    print(f"| true preferences | | | {best:.4f} | {100 * best / reference:.0f} % | | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--shoppers", type=int, default=30_000)
    parser.add_argument("--measured", type=int, default=MEASURED)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--epsilon", type=float, action="append")
    parser.add_argument("--seed", type=int, default=REPORTED_SEED)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        curves, best = measure(
            Path(folder),
            seed=options.seed,
            shoppers=options.shoppers,
            measured=options.measured,
            draws=options.draws,
            epsilons=options.epsilon or EPSILONS,
        )
    show(curves, best)
    if options.json is not None:
        options.json.write_text(json.dumps(curves.to_json(), indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
