"""Quality against megabytes: one shop, one set of counts, models of several sizes.

    python tests/benchmarks/size_quality.py EVENTS CATALOG --cutoff 2017-12-01 --html size.html

Counts are made once for each `--min-shoppers`. From them come the uncompressed model (every pair,
as float32), the one without a size limit, and one for each size, in megabytes of the bundle for
each 10,000 items. All are put to the same shoppers through the device's ranker. A report: nothing
is chosen by it, and the shoppers had no part in training (with `--holdout 0`: in what they are
asked about).
"""

from __future__ import annotations

import argparse
import math
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shelfrank_training.aggregates.folder import read_aggregates
from shelfrank_training.aggregates.run import aggregate
from shelfrank_training.aggregates.settings import OUTCOMES_SALT, AggregateSettings
from shelfrank_training.errors import DataError
from shelfrank_training.evaluate.bootstrap import Estimate
from shelfrank_training.evaluate.curves.lines import COLOURS, Level, Line, Spot, line_panel
from shelfrank_training.evaluate.report import Drawing, Drawings, Section, Table, write_report
from shelfrank_training.evaluate.run import MODEL, Settings, evaluate
from shelfrank_training.events import Holdout, read_catalog
from shelfrank_training.export.folder import model_files
from shelfrank_training.export.graph import export
from shelfrank_training.folders import replace_folder
from shelfrank_training.limit import SEED, bundle_bytes, fit_within
from shelfrank_training.models.blend import Blend
from shelfrank_training.models.choice import everything
from shelfrank_training.models.counts import Counts
from shelfrank_training.models.space import ItemSpace
from shelfrank_training.progress import Silent
from shelfrank_training.train import catalog_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shelfrank_training.aggregates.folder import Aggregates
    from shelfrank_training.evaluate.results import Figures
    from shelfrank_training.publish.catalog import CatalogRow

MB = 1_000_000
PER = 10_000  # items
FLOOR = 10  # shoppers, below which aggregates are for research only
RESAMPLES = 500
METRICS = {
    "future": (("all", "ndcg@20"), ("all", "recall@20"), ("new", "ndcg@20")),
    "next": (("all", "ndcg@20"), ("all", "recall@20"), ("all", "mrr@20")),
}


@dataclass(frozen=True)
class Point:
    name: str
    n_bytes: int
    n_items: int
    n_pairs: int
    metrics: Figures

    @property
    def per_items(self) -> float:
        """Megabytes for each 10,000 items of the shop."""
        return self.n_bytes / MB / self.n_items * PER

    def of(self, metric: tuple[str, str]) -> Estimate:
        scope, name = metric
        return self.metrics[MODEL][scope][name]


def read() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("events", type=Path)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--cutoff", type=datetime.fromisoformat, required=True)
    parser.add_argument("--protocol", choices=tuple(METRICS), default="future")
    parser.add_argument("--holdout", type=float, default=0.2)
    parser.add_argument("--min-shoppers", type=int, nargs="+", default=[1, 20])
    parser.add_argument(
        "--per-10k", type=float, nargs="*", default=[0.3, 0.45, 0.6, 0.9, 1.2], help="megabytes"
    )
    parser.add_argument("--mb", type=float, nargs="*", default=[], help="sizes of the bundle")
    parser.add_argument("--share", type=float, default=1.0, help="of the shoppers to measure")
    parser.add_argument("--html", type=Path)
    return parser.parse_args()


def some(events: Path, share: float, place: Path) -> Path:
    """Return the events of a share of all shoppers."""
    if share >= 1:
        return events
    table = pq.read_table(events)
    kept = Holdout(share=share, salt="size")
    ids = [who for who in table["shopper_id"].unique().to_pylist() if kept.contains(str(who))]
    chosen = table.filter(pc.is_in(table["shopper_id"], value_set=pa.array(ids)))
    pq.write_table(chosen, place / "measured.parquet")
    return place / "measured.parquet"


def models(
    found: Aggregates, rows: Sequence[CatalogRow], limits: Sequence[int]
) -> Iterator[tuple[str, Blend, dict[str, bytes]]]:
    """Yield models of falling size."""
    space = ItemSpace.of([row.item_id for row in rows], [row.category for row in rows])
    counts = Counts.of(found, space)
    for name, unfitted in (("uncompressed", everything(Blend())), ("no limit", Blend())):
        blend = unfitted.fit(counts)
        exported = export(blend, rng=np.random.default_rng(SEED))
        yield name, blend, model_files(blend, exported, found, rows, policy=None)
    for limit in sorted(limits, reverse=True):
        try:
            made = fit_within(found, rows, Blend(), policy=None, limit=limit, progress=Silent())
        except DataError as error:
            print(f"{limit:,} bytes: {error}", flush=True)
        else:
            yield f"{limit / MB:.2f} MB", made.blend, made.files


def measure(options: argparse.Namespace, min_shoppers: int, place: Path) -> list[Point]:
    cutoff = options.cutoff.replace(tzinfo=UTC)
    settings = AggregateSettings(
        min_shoppers=min_shoppers,
        unprotected=min_shoppers < FLOOR,
        holdout=Holdout(share=options.holdout),
        outcomes=Holdout(share=0.0, salt=OUTCOMES_SALT),
        until=cutoff,
    )
    folder = place / f"aggregates-{min_shoppers}"
    aggregate(options.events, options.catalog, folder, settings)
    found = read_aggregates(folder)
    rows, _ = catalog_rows(found, read_catalog(options.catalog))
    limits = [round(each * len(rows) / PER * MB) for each in options.per_10k]
    limits += [round(size * MB) for size in options.mb]
    events = some(options.events, options.share, place)
    asked = Settings(cutoff=cutoff, protocol=options.protocol, n_resamples=RESAMPLES)
    points = []
    for name, blend, files in models(found, rows, limits):
        replace_folder(place / "model", files.items())
        measured = evaluate(place / "model", events, asked).results.metrics
        points.append(Point(name, bundle_bytes(files), len(rows), n_pairs(blend), measured))
        show(points[-1], points[0], METRICS[options.protocol], n_items=blend.space_.n_items)
    return points


def n_pairs(blend: Blend) -> int:
    return sum(
        table.target.size
        for part in blend.parts_
        for table in vars(part).values()
        if hasattr(table, "target")
    )


def show(point: Point, base: Point, metrics: Sequence[tuple[str, str]], *, n_items: int) -> None:
    figures = "  ".join(
        f"{scope} {name} {point.of((scope, name)).value:.4f} "
        f"({point.of((scope, name)).value / base.of((scope, name)).value:7.1%})"
        for scope, name in metrics
    )
    print(
        f"{point.name:>14} {point.n_bytes / MB:8.3f} MB {point.per_items:7.2f} per 10,000  "
        f"{n_items:6,} items {point.n_pairs:10,} pairs  {figures}",
        flush=True,
    )


def panel(found: Mapping[int, Sequence[Point]], metric: tuple[str, str]) -> Drawing:
    lines = []
    for colour, (min_shoppers, points) in zip(COLOURS, found.items(), strict=False):
        base = points[0].of(metric).value
        spots = [
            Spot(
                x=math.log10(point.per_items),
                share=Estimate(
                    value=point.of(metric).value / base,
                    low=point.of(metric).low / base,
                    high=point.of(metric).high / base,
                ),
            )
            for point in sorted(points, key=lambda point: point.per_items)
        ]
        lines.append(Line(label=f"min_shoppers {min_shoppers}", spots=spots, colour=colour))
    sizes = [0.3, 0.6, 1.2, 3, 10, 30, 100]
    furthest = max(spot.x for line in lines for spot in line.spots)
    ticks = [(math.log10(size), f"{size:g}") for size in sizes if math.log10(size / 3.4) < furthest]
    scope, name = metric
    figure = line_panel(
        f"{name}, {scope}: share of the uncompressed model",
        lines,
        upright=f"{name}, share",
        ticks=ticks,
        axis="megabytes of the bundle for each 10,000 items",
        levels=[Level(share=0.99, label="99 %", dotted=True)],
    )
    return Drawing(figure, f"{name} of {scope} against size, as in the table")


def report(path: Path, options: argparse.Namespace, found: Mapping[int, Sequence[Point]]) -> None:
    metrics = METRICS[options.protocol]
    names = [f"{scope} {name}" for scope, name in metrics]
    sections = [
        Section(
            "Quality against size",
            [
                Drawings(
                    panels=[panel(found, metric) for metric in metrics],
                    caption="Each dot is one bundle, measured through the device's ranker on the "
                    "same shoppers; its bar is the bootstrap 95 % interval of its own figure.",
                )
            ],
        )
    ]
    for min_shoppers, points in found.items():
        rows = [
            [
                point.name,
                f"{point.n_bytes / MB:.3f}",
                f"{point.per_items:.2f}",
                f"{point.n_pairs:,}",
            ]
            + [f"{point.of(metric).value:.4f}" for metric in metrics]
            for point in points
        ]
        columns = ["Model", "MB", "MB per 10,000 items", "pairs", *names]
        caption = f"min_shoppers {min_shoppers}, protocol {options.protocol}"
        sections.append(
            Section(
                f"min_shoppers {min_shoppers}", [Table(columns=columns, rows=rows, caption=caption)]
            )
        )
    write_report(path, sections, title=f"Quality against megabytes: {options.events.parent.name}")


def main() -> None:
    options = read()
    found = {}
    for min_shoppers in options.min_shoppers:
        print(f"\nmin_shoppers {min_shoppers}", flush=True)
        with tempfile.TemporaryDirectory() as place:
            found[min_shoppers] = measure(options, min_shoppers, Path(place))
    if options.html is not None:
        report(options.html, options, found)


if __name__ == "__main__":
    main()
