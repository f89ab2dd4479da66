"""Make a bundle of a large generated shop and print what each of its files takes.

    python tests/benchmarks/large_bundle.py --items 100000

Nearly every item has as many pairs as a model keeps in each table, a category, a brand, a price and
a title of 30 to 40 random letters, which deflate badly: the bundle of a real shop is smaller. Once
with every source's strongest pairs, once with the best within a limit.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone

from shelfrank import Ranker
from shelfrank.bundle import archive
from shelfrank.bundle.verify import verify_bundle
from shelfrank.types import Event, ItemId
from shelfrank_training.export.folder import model_files
from shelfrank_training.export.graph import export
from shelfrank_training.limit import REST_BYTES
from shelfrank_training.models.blend import Blend
from shelfrank_training.models.choice import everything, within
from shelfrank_training.models.parts import (
    TOP_TARGETS,
    Affinity,
    Category,
    Next,
    Popularity,
    Repeat,
)
from shelfrank_training.models.size import GRAPH_BYTES, part_bytes
from shelfrank_training.publish.build import throwaway
from shelfrank_training.publish.catalog import CatalogRow, write_catalog
from support.corner_shop import aggregates
from support.dense_shop import dense_counts, dense_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 1, 5, tzinfo=UTC)
OTHER_BYTES = 24 * 1024  # label and golden vectors
EVENTS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--categories", type=int, default=1_000)
    parser.add_argument("--limit", type=int, default=15_000_000, help="bytes of the bundle")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    rows = dense_rows(options.items, options.categories, rng=rng)
    counts = dense_counts(rows, pairs_each=TOP_TARGETS + 5, rng=rng)
    print(f"{options.items:,} items, {options.categories:,} categories")
    # As many neighbours as it takes for full rows; more would cost minutes and no byte.
    affinity = Affinity(neighbours=TOP_TARGETS + 5)
    blend = Blend(parts=(Popularity(), Next(), affinity, Category(), Repeat()))
    _show("strongest pairs of each source", clone(blend).fit(counts), rows, rng)
    room = options.limit - len(write_catalog(rows)) - REST_BYTES - GRAPH_BYTES - OTHER_BYTES
    limited = within(everything(blend).fit(counts), budget=room)
    _show(f"within {options.limit:,} bytes", limited, rows, rng)


def _show(heading: str, blend: Blend, rows: Sequence[CatalogRow], rng: np.random.Generator) -> None:
    exported = export(blend, rng=rng)
    # What the label says of the aggregates has the size of any label.
    files = model_files(blend, exported, aggregates(), rows, policy=None)
    with tempfile.TemporaryDirectory() as place:
        for name, content in files.items():
            (Path(place) / name).write_bytes(content)
        data, trust = throwaway(Path(place), NOW)
    members = archive.read_members(data)
    print(f"\n{heading}\n")
    for name, content in sorted(members.items(), key=lambda member: -len(member[1])):
        print(f"{name:24}{len(content):>14,}")
    print(f"{'bundle':24}{len(data):>14,}\n")
    for part in blend.parts_:
        print(f"{'part ' + part.name:24}{part_bytes(part):>14,}")
    _time(data, trust, rng)


def _time(data: bytes, trust: bytes, rng: np.random.Generator) -> None:
    start = time.perf_counter()
    ranker = Ranker(verify_bundle(data, trust=trust, now=NOW))
    print(f"\nverified and opened in {time.perf_counter() - start:.1f} s")
    ids = ranker.catalog.item_ids
    history = [
        Event(
            kind="view",
            item_id=ItemId(ids[int(rng.integers(len(ids)))]),
            time=NOW - timedelta(minutes=number),
            visit=(EVENTS - number) // 20,
            order=EVENTS - number,
        )
        for number in range(EVENTS)
    ]
    some = rng.choice(len(ids), 1_000, replace=False).astype(np.int64)
    for name, candidates in (("1,000 candidates", some), ("all items", np.arange(len(ids)))):
        took = []
        for _ in range(20):
            start = time.perf_counter()
            ranker.scores(history, now=NOW, candidates=candidates, in_visit=True)
            took.append(time.perf_counter() - start)
        print(f"{name}, {EVENTS} events: {1e3 * min(took):.1f} ms")


if __name__ == "__main__":
    main()
