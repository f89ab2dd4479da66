"""From an aggregates folder to a model folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone

from shelfrank.bundle import archive
from shelfrank.bundle.label import Label
from shelfrank.consent.policy import Policy
from shelfrank_training.aggregates.folder import read_aggregates
from shelfrank_training.errors import DataError, PrivacyError
from shelfrank_training.events import Columns, read_catalog
from shelfrank_training.export.folder import MODEL_JSON, model_files, with_decisions
from shelfrank_training.export.graph import export
from shelfrank_training.folders import check_out, replace_folder
from shelfrank_training.limit import SEED, Limited, fit_within
from shelfrank_training.models.blend import Blend
from shelfrank_training.models.counts import Counts
from shelfrank_training.models.space import ItemSpace
from shelfrank_training.progress import Silent
from shelfrank_training.publish.catalog import CatalogRow
from shelfrank_training.publish.promises import check_promises

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shelfrank_training.aggregates.folder import Aggregates
    from shelfrank_training.events import CatalogTable
    from shelfrank_training.export.graph import Exported
    from shelfrank_training.outcomes.learning import Decision
    from shelfrank_training.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """What a run of `train` is asked to do.

    Attributes:
        policy: file that goes into the bundle; its sensitive categories must not be in the
            aggregates.
        columns: what differs from the contract's column names in the catalog.
        overwrite: replace an older model folder.
        size_limit: most bytes of the bundle file; None keeps the strongest pairs of each source,
            whatever they take.
        fixed_weights: keep the shipped weights of the parts, whatever ``outcomes`` says.
    """

    policy: Path | None = None
    columns: Columns | None = None
    overwrite: bool = False
    size_limit: int | None = None
    fixed_weights: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a run of `train` made.

    Attributes:
        blend: the fitted estimators.
        exported: their graph.
        n_items: items of the model's catalog.
        n_unlisted: items with published numbers that the catalog file does not list; left out.
        n_over_limit: items left out because the bundle would be too large.
        decisions: about the weights of the parts, by situation; none where they were kept fixed.
        files: what was written, by name.
    """

    blend: Blend
    exported: Exported
    n_items: int
    n_unlisted: int
    n_over_limit: int
    decisions: Sequence[Decision]
    files: Mapping[str, bytes]


def train(
    aggregates: Path,
    catalog: Path,
    out: Path,
    *,
    settings: TrainSettings | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Fit the parts on aggregates and write the model folder.

    Args:
        aggregates: folder written by ``shelfrank aggregate``; rows about shoppers are not taken.
        catalog: Parquet or CSV.
        out: the model folder; written whole or not at all.
        settings: None takes the defaults.
        progress: who hears about the long steps.

    Raises:
        DataError: an input is not what it should be, or the size limit cannot be met.
        PrivacyError: the policy asks for more than the aggregates keep.
        LabelError: the same, for what only the label tells.
        PublishError: the catalog has a category that the aggregates left out.
        ParityError: graph and estimators disagree; nothing is written.
    """
    progress = progress or Silent()
    settings = settings or TrainSettings()
    check_out(out, marker=MODEL_JSON, what="model", overwrite=settings.overwrite)
    with progress.stage("read aggregates"):
        found = read_aggregates(aggregates)
        policy_bytes = _read_policy(settings.policy)
        stated = None if policy_bytes is None else Policy.parse(policy_bytes)
        listed = read_catalog(catalog, columns=settings.columns, policy=stated)
        rows, n_unlisted = catalog_rows(found, listed)
        if stated is not None:
            _check_policy(found, stated)
    decisions = () if settings.fixed_weights else _weigh(found, progress)
    made = _make(found, rows, policy_bytes, settings.size_limit, decisions, progress)
    files = with_decisions(made.files, decisions)
    label = Label.parse(files[archive.LABEL])
    check_promises(label, stated, [row.category for row in made.rows if row.category])
    replace_folder(out, files.items())
    return Trained(
        blend=made.blend,
        exported=made.exported,
        n_items=len(made.rows),
        n_unlisted=n_unlisted,
        n_over_limit=len(rows) - len(made.rows),
        decisions=decisions,
        files=files,
    )


def _make(
    aggregates: Aggregates,
    rows: Sequence[CatalogRow],
    policy: bytes | None,
    size_limit: int | None,
    decisions: Sequence[Decision],
    progress: Progress,
) -> Limited:
    from shelfrank_training.outcomes.learning import blend_with

    unfitted = blend_with(decisions)
    if size_limit is not None:
        return fit_within(
            aggregates, rows, unfitted, policy=policy, limit=size_limit, progress=progress
        )
    blend, exported = fit_and_export(aggregates, rows, unfitted, progress=progress)
    files = model_files(blend, exported, aggregates, rows, policy=policy)
    return Limited(blend=blend, exported=exported, rows=rows, files=files)


def _weigh(aggregates: Aggregates, progress: Progress) -> Sequence[Decision]:
    # Here, since the package makes its table with a provisional model of this module.
    from shelfrank_training.outcomes.learning import learn_weights

    if not aggregates.table("outcomes").num_rows:
        return ()
    with progress.stage("learn weights"):
        return learn_weights(aggregates)


def fit_and_export(
    aggregates: Aggregates,
    rows: Sequence[CatalogRow],
    unfitted: Blend | None = None,
    *,
    progress: Progress,
) -> tuple[Blend, Exported]:
    """Fit the parts for these items and convert them into one checked graph.

    Args:
        aggregates: what is learned from.
        rows: the items of the model's catalog.
        unfitted: the parts and their weights; None takes the shipped ones.
        progress: who hears about the steps.

    Raises:
        ParityError: graph and estimators disagree.
    """
    with progress.stage("fit"):
        space = ItemSpace.of([row.item_id for row in rows], [row.category for row in rows])
        blend = clone(unfitted or Blend()).fit(Counts.of(aggregates, space))
    with progress.stage("export and compare"):
        return blend, export(blend, rng=np.random.default_rng(SEED))


def catalog_rows(aggregates: Aggregates, catalog: CatalogTable) -> tuple[list[CatalogRow], int]:
    """Return the items that have published numbers and are listed, and how many are not listed.

    Raises:
        DataError: no item is left.
        PrivacyError: a sensitive item has published numbers.
    """
    published = {str(item) for item in aggregates.table("items").column("item_id").to_pylist()}
    if not published:
        raise DataError(
            "the aggregates hold no items: too few shoppers count for any",
            hint="aggregate more shoppers, or with a larger --epsilon or a smaller --min-shoppers",
        )
    listed = [row for row in catalog.table.to_pylist() if row["item_id"] in published]
    sensitive = sum(bool(row["sensitive"]) for row in listed)
    if sensitive:
        raise PrivacyError(
            f"{sensitive} items with published numbers are sensitive, wanted none",
            hint="aggregate again with the same catalog and --policy",
        )
    if not listed:
        raise DataError(
            f"none of the {len(published)} items with published numbers is in the catalog",
            hint="use the catalog that the aggregates were made with",
        )
    names = ("item_id", "title", "category", "brand", "price")
    rows = [CatalogRow(**{name: row[name] for name in names}) for row in listed]
    return rows, len(published) - len(rows)


def _check_policy(aggregates: Aggregates, policy: Policy) -> None:
    if aggregates.info.min_shoppers < policy.min_shoppers and not aggregates.info.unprotected:
        raise PrivacyError(
            f"aggregates cover at least {aggregates.info.min_shoppers} shoppers a number, "
            f"the policy wants {policy.min_shoppers}",
            hint="aggregate again with a higher --min-shoppers",
        )


def _read_policy(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror})") from None
