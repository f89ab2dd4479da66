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
of the archive, dates in the label, a model card without slices. A shop's rules, texts and aliases
count there too."""

SLICES_BYTES: Final = 54 * 1024
"""What slices add to a model card at most: ten in each of two scopes, of three models and the
differences of two, in three metrics; 16 and 23 KB seen. Where they break a limit, `bundle build`
leaves them out."""

# A graph of other pairs has other lengths in its headers and other digits in its golden vectors;
# seen: below 300 bytes.
_MARGIN: Final = 1024

# Each table that the smallest model left out may cost one; there are four.
_ATTEMPTS: Final = 5

SEED: Final = 7
"""Of the made-up questions that graph and estimators are compared on; any number would do."""

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

    # With the fewest pairs first, to learn what everything else takes.
    with progress.stage("measure the smallest model"):
        smallest = make(fewest_bytes(full))
    with_all = len(rows), _least(smallest)
    while _least(smallest) > limit:
        if len(rows) == 1:
            raise _impossible(limit, _least(smallest), with_all)
        room = limit - (_rest(smallest) - len(smallest.files["catalog.bin"]))
        rows = _fewer_items(aggregates, smallest, room=room)
        with progress.stage("leave items out and fit again"):
            full = _fit(aggregates, rows, unfitted)
            smallest = make(fewest_bytes(full))
    rest = _rest(smallest)
    for _ in range(_ATTEMPTS):
        with progress.stage("choose pairs, export and compare"):
            made = make(limit - rest)
        over = bundle_bytes(made.files) - limit
        if over <= 0:
            return made
        # A table that the smallest model left out has nodes of its own.
        rest += over + _MARGIN
    return smallest


def _least(smallest: Limited) -> int:
    """Return the least limit in which the items of a model fit, each with its fewest pairs."""
    return bundle_bytes(smallest.files) + _MARGIN


def _rest(made: Limited) -> int:
    """Return what all but the numbers of the parts takes, with a margin for other pairs."""
    return _MARGIN + bundle_bytes(made.files) - sum(part_bytes(part) for part in made.blend.parts_)


def _fit(aggregates: Aggregates, rows: Sequence[CatalogRow], unfitted: Blend) -> Blend:
    space = ItemSpace.of([row.item_id for row in rows], [row.category for row in rows])
    counts = Counts.of(aggregates, space)
    return everything(unfitted).fit(counts)


def _fewer_items(aggregates: Aggregates, smallest: Limited, *, room: int) -> Sequence[CatalogRow]:
    """Return as many items, the most popular first, as should fit with their fewest pairs.

    Args:
        aggregates: know how popular an item is.
        smallest: what does not fit.
        room: bytes for catalog and parts.

    Returns:
        Fewer items than it has, at least one.
    """
    items = aggregates.table("items")
    ids = [str(item) for item in items.column("item_id").to_pylist()]
    shoppers = dict(zip(ids, items.column("shoppers").to_pylist(), strict=True))
    ranked = sorted(smallest.rows, key=lambda row: (-shoppers[row.item_id], row.item_id))
    # As if nothing of the parts were there whatever the items: rather too many, and once more, than
    # too few.
    each = sum(part_bytes(part) for part in smallest.blend.parts_) / len(ranked)
    kept = len(ranked) - 1
    while kept > 1:
        needed = len(write_catalog(ranked[:kept])) + kept * each
        if needed <= room:
            break
        kept = min(int(kept * room / needed), int(kept * _SHRINK))
    return ranked[: max(kept, 1)]


def _impossible(limit: int, least: int, with_all: tuple[int, int]) -> DataError:
    n_items, most = with_all
    return DataError(
        f"a bundle of this shop cannot be made in {limit:,} bytes: with one item it takes at least "
        f"{least:,}, with all {n_items:,} at least {most:,}",
        hint="raise --size-limit",
    )
