"""Make a model whose bundle is no larger than asked: fewer pairs, and at last fewer items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank_training.errors import DataError
from shelfrank_training.export.folder import model_files
from shelfrank_training.export.graph import export
from shelfrank_training.models.choice import everything, fewest_bytes, within
from shelfrank_training.models.counts import Counts
from shelfrank_training.models.size import part_bytes
from shelfrank_training.models.space import ItemSpace
from shelfrank_training.publish.catalog import write_catalog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shelfrank_training.aggregates.folder import Aggregates
    from shelfrank_training.export.graph import Exported
    from shelfrank_training.models.blend import Blend
    from shelfrank_training.progress import Progress
    from shelfrank_training.publish.catalog import CatalogRow

SHIPPED: Final = ("model.onnx", "catalog.bin", "label.json", "golden.json", "policy.toml")
"""Files of a model folder that go into the bundle."""

REST_BYTES: Final = 16 * 1024
"""Room for what only `bundle build` adds: manifest (3 KB), signatures, roots (1 KB each), headers
of the archive, dates in the label, a model card. A shop's rules, texts and aliases count there
too."""

# A graph of other pairs has other lengths in its headers and other digits in its golden vectors;
# seen: below 300 bytes.
_MARGIN: Final = 1024

SEED: Final = 7
"""Of the made-up questions that graph and estimators are compared on; any number would do."""

# Each table that the smallest model left out may cost one; there are four.
_ATTEMPTS: Final = 5

# The estimate for a part of the catalog is by average; each step takes so much off until it fits.
_SHRINK: Final = 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A model within its limit.

    Attributes:
        blend: fitted, trimmed.
        exported: its graph.
        rows: the items that stayed.
        files: the model folder.
    """

    blend: Blend
    exported: Exported
    rows: Sequence[CatalogRow]
    files: dict[str, bytes]


def bundle_bytes(files: Mapping[str, bytes]) -> int:
    """Return the most that the bundle of a model folder takes, all of its members together.

    Args:
        files: the folder by name; what stays at home does not count.
    """
    return sum(len(files[name]) for name in SHIPPED if name in files) + REST_BYTES


def fit_within(
    aggregates: Aggregates,
    rows: Sequence[CatalogRow],
    unfitted: Blend,
    *,
    policy: bytes | None,
    limit: int,
    progress: Progress,
) -> Limited:
    """Fit the parts, keep what is worth most, and convert it into one checked graph.

    Items leave the catalog, the least popular first, only where even `FEWEST` targets a source do
    not fit.

    Args:
        aggregates: what is learned from.
        rows: the items of the shop.
        unfitted: the parts and their weights.
        policy: ``policy.toml`` as it was written, or None.
        limit: most bytes of the bundle file.
        progress: who hears about the steps.

    Raises:
        DataError: the limit cannot be met.
        ParityError: graph and estimators disagree.
    """
    with progress.stage("fit every pair"):
        full = _fit(aggregates, rows, unfitted)

    def make(budget: int) -> Limited:
        blend = within(full, budget=budget)
        exported = export(blend, rng=np.random.default_rng(SEED))
        files = model_files(blend, exported, aggregates, rows, policy=policy, size_limit=limit)
        return Limited(blend=blend, exported=exported, rows=rows, files=files)

    over = 0
    # With the fewest pairs first, to learn what everything else takes.
    with progress.stage("measure the smallest model"):
        rest = _rest(make(fewest_bytes(full)))
    while rest + fewest_bytes(full) > limit:
        rest -= len(write_catalog(rows))
        rows = _fewer_items(aggregates, rows, full, room=limit - rest)
        if not rows:
            raise _impossible(limit, rest)
        with progress.stage("leave items out and fit again"):
            full = _fit(aggregates, rows, unfitted)
            rest = _rest(make(fewest_bytes(full)))
    for _ in range(_ATTEMPTS):
        with progress.stage("choose pairs, export and compare"):
            made = make(limit - rest)
        over = bundle_bytes(made.files) - limit
        if over <= 0:
            return made
        # A table that the smallest model left out has nodes of its own.
        rest += over + _MARGIN
    raise _impossible(limit, limit + over)


def _rest(made: Limited) -> int:
    """Return what all but the numbers of the parts takes, with a margin for other pairs."""
    return _MARGIN + bundle_bytes(made.files) - sum(part_bytes(part) for part in made.blend.parts_)


def _fit(aggregates: Aggregates, rows: Sequence[CatalogRow], unfitted: Blend) -> Blend:
    space = ItemSpace.of([row.item_id for row in rows], [row.category for row in rows])
    counts = Counts.of(aggregates, space)
    return everything(unfitted).fit(counts)


def _fewer_items(
    aggregates: Aggregates, rows: Sequence[CatalogRow], full: Blend, *, room: int
) -> Sequence[CatalogRow]:
    """Return as many items, the most popular first, as fit with their fewest pairs; maybe none."""
    items = aggregates.table("items")
    ids = [str(item) for item in items.column("item_id").to_pylist()]
    shoppers = dict(zip(ids, items.column("shoppers").to_pylist(), strict=True))
    ranked = sorted(rows, key=lambda row: (-shoppers[row.item_id], row.item_id))
    each = fewest_bytes(full) / len(rows)
    kept = len(rows) - 1
    while kept and room > 0:
        needed = len(write_catalog(ranked[:kept])) + kept * each
        if needed <= room:
            return ranked[:kept]
        kept = min(int(kept * room / needed), int(kept * _SHRINK))
    return []


def _impossible(limit: int, least: int) -> DataError:
    return DataError(
        f"a bundle of this shop cannot be made in {limit:,} bytes, it takes at least {least:,}",
        hint="raise --size-limit",
    )
