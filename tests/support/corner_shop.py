"""A shop of fourteen items, from made-up aggregates to a signed bundle: small, nothing mocked."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from itertools import combinations, permutations
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from shelfrank.bundle.verify import verify_bundle
from shelfrank.ranking.session import GraphInputs
from shelfrank.types import DAYPARTS, KINDS, Event, ItemId
from shelfrank_training.aggregates.folder import KEYS, Aggregates, parquet_bytes, schema
from shelfrank_training.aggregates.info import AggregatesInfo, TableInfo
from shelfrank_training.events import Holdout
from shelfrank_training.export.folder import model_files
from shelfrank_training.export.graph import export
from shelfrank_training.models.blend import Blend
from shelfrank_training.models.counts import Counts
from shelfrank_training.models.space import ItemSpace
from shelfrank_training.publish.build import build_bundle, sign_bundle
from shelfrank_training.publish.catalog import CatalogRow
from support.publisher import ALICE, NOW, YEAR, Publisher

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shelfrank.bundle.verify import VerifiedBundle
    from shelfrank.types import Kind
    from shelfrank_training.export.graph import Exported

BREAD, ROLLS, MILK, TEA, GIN, BAG = "00042", "00043", "7", "sku-canary-18", "sku-19", "sku-22"
"""Items the tests speak of; gin is what a policy may call sensitive, the bag has no category."""

ROWS: Final = (
    CatalogRow(item_id=BREAD, title="Rye bread", category="Bakery/Bread", brand="Ähre", price=2.5),
    CatalogRow(item_id=ROLLS, title="Rolls", category="Bakery/Bread", price=0.65),
    CatalogRow(item_id="00044", title="Plum cake", category="Bakery/Cake"),
    CatalogRow(item_id=MILK, title="Milk", category="Dairy", brand="Hof", price=1.19),
    CatalogRow(item_id="8", title="Butter", category="Dairy", brand="Hof"),
    CatalogRow(item_id="9", category="Dairy"),
    CatalogRow(item_id="sku-16", title="Coffee", category="Drinks/Hot"),
    CatalogRow(item_id=TEA, title="Canary tea", category="Drinks/Hot"),
    CatalogRow(item_id=GIN, title="Gin", category="Spirits/Clear"),
    CatalogRow(item_id="sku-20", title="Soap", category="Household"),
    CatalogRow(item_id="sku-21", title="Candle", category="Household"),
    CatalogRow(item_id=BAG, title="Bag"),
    CatalogRow(item_id="sku-23", title="Voucher"),
    CatalogRow(item_id="sku-24", title="Matches", category="Household"),
)
SHOPPERS: Final = 500
MIN_SHOPPERS: Final = 20


def aggregates(
    rows: Sequence[CatalogRow] = ROWS,
    *,
    min_shoppers: int = MIN_SHOPPERS,
    unprotected: bool = False,
    stated: Mapping[str, object] | None = None,
) -> Aggregates:
    """Return made-up numbers about `rows`, the same in every run.

    Args:
        rows: items of the shop.
        min_shoppers: smallest number there is.
        unprotected: what is said about it.
        stated: other fields of what is said about the numbers.
    """
    rng = np.random.default_rng(11)
    ids = sorted(row.item_id for row in rows)
    categories = sorted({row.category for row in rows if row.category})

    def shoppers() -> int:
        return int(rng.integers(min_shoppers, 200))

    def weight() -> int:
        return int(rng.integers(1, 1000 * min_shoppers))

    def some(keys: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
        return [key for key in keys if rng.random() < 0.5]

    def following(units: Sequence[str]) -> list[tuple[object, ...]]:
        return [
            (*key, scope, n := shoppers(), weight(), n * (2 if scope == "visit" else 1))
            for key in some(permutations(units, 2))
            for scope in ("visit", "visits")
        ]

    tables: dict[str, Sequence[tuple[object, ...]]] = {
        "items": [(item, shoppers() + 100, weight()) for item in ids],
        "pairs": [(*key, shoppers()) for key in some(combinations(ids, 2))],
        "next": following(ids),
        "repeats": [(item, days, shoppers()) for item in ids for days in (7, 14, 28)],
        "categories": [(name, shoppers() + 100, weight()) for name in categories],
        "category_pairs": [(*key, shoppers()) for key in some(combinations(categories, 2))],
        "category_repeats": [(name, 7, shoppers()) for name in categories],
        # Last, so that the tables above do not depend on it.
        "category_next": following(categories),
        "outcomes": [],
    }
    made = {name: _table(name, tables[name]) for name in KEYS if name in tables}
    info = AggregatesInfo(
        events_file="events.parquet",
        catalog_file="catalog.parquet",
        time_from=NOW - YEAR,
        time_to=NOW,
        shoppers=SHOPPERS,
        holdout=Holdout(),
        min_shoppers=min_shoppers,
        unprotected=unprotected,
        max_items=100,
        max_visits=200,
        max_distance=20,
        half_life_days=28,
        policy=None,
        has_categories=bool(categories),
        sensitive_items=0,
        sensitive_events=None,
        engine="made up",
        tables={name: _describe(table) for name, table in made.items()},
    )
    return Aggregates(replace(info, **(stated or {})), made)  # type: ignore[arg-type]


def with_dayparts(found: Aggregates) -> Aggregates:
    """Return the same numbers and, for most items, those of a shop in Amsterdam by time of day.

    Rye bread is bought in the morning and the gin in the evening; the bag has no row.
    """
    rng = np.random.default_rng(12)
    shares = {BREAD: (0, 9, 1, 0), GIN: (1, 0, 0, 9)}
    rows: list[tuple[object, ...]] = []
    for item, shoppers in zip(
        *(found.table("items")[name].to_pylist() for name in ("item_id", "shoppers")), strict=True
    ):
        usual = shares.get(item, tuple(rng.integers(1, 9, len(DAYPARTS)).tolist()))
        cells = [round(1.5 * shoppers * share / sum(usual)) for share in usual]
        large = [(item, daypart, min(n, shoppers)) for daypart, n in enumerate(cells)]
        rows += [row for row in large if row[2] >= found.info.min_shoppers and item != BAG]
    table = _table("dayparts", rows)
    described = {**found.info.tables, "dayparts": _describe(table)}
    tables = {name: found.table(name) for name in KEYS} | {"dayparts": table}
    return Aggregates(replace(found.info, zone="Europe/Amsterdam", tables=described), tables)


def _describe(table: pa.Table) -> TableInfo:
    return TableInfo(
        rows=table.num_rows,
        suppressed_share=0,
        max_rows_per_shopper=100,
        sha256=sha256(parquet_bytes(table)).hexdigest(),
    )


def _table(name: str, rows: Sequence[tuple[object, ...]]) -> pa.Table:
    fields = schema(name)
    return pa.Table.from_pylist(
        [dict(zip(fields.names, row, strict=True)) for row in rows], schema=fields
    ).sort_by([(key, "ascending") for key in KEYS[name]])


def write_aggregates(folder: Path, found: Aggregates) -> Path:
    """Write a folder that `train` reads."""
    from shelfrank_training.aggregates.folder import write_folder

    files = {name: parquet_bytes(found.table(name)) for name in found.info.tables}
    write_folder(folder, found.info, files, overwrite=False)
    return folder


def counts(rows: Sequence[CatalogRow] = ROWS) -> Counts:
    """Return what estimators are fitted on."""
    space = ItemSpace.of([row.item_id for row in rows], [row.category for row in rows])
    return Counts.of(aggregates(rows), space)


@cache
def blend() -> Blend:
    """Return the fitted model of the shop."""
    return Blend().fit(counts())


@cache
def blend_by_daypart() -> Blend:
    """Return the fitted model of the shop whose time of day is known."""
    space = ItemSpace.of([row.item_id for row in ROWS], [row.category for row in ROWS])
    return Blend().fit(Counts.of(with_dayparts(aggregates()), space))


@cache
def exported() -> Exported:
    """Return its checked graph."""
    return export(blend(), rng=np.random.default_rng(1))


@cache
def exported_by_daypart() -> Exported:
    """Return the checked graph of `blend_by_daypart`."""
    return export(blend_by_daypart(), rng=np.random.default_rng(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What differs in a label.

    Attributes:
        min_shoppers: of the made-up numbers.
        unprotected: what is said about them.
        stated: other fields of what is said about them.
    """

    min_shoppers: int = MIN_SHOPPERS
    unprotected: bool = False
    stated: Mapping[str, object] = field(default_factory=dict)


def bundle_bytes(
    *,
    policy: bytes | None = None,
    label: Label | None = None,
    files: Mapping[str, bytes] | None = None,
    version: int = 1,
    by_daypart: bool = False,
    issued_at: datetime = NOW - timedelta(days=1),
) -> bytes:
    """Return a signed bundle of the shop; `TRUST` is its root.

    Args:
        policy: ``policy.toml``, or None for none.
        label: what is claimed about the aggregates.
        files: replaced in the model folder before it is signed.
        version: of the bundle.
        by_daypart: the shop's time of day is known (`with_dayparts`).
        issued_at: when it was signed.
    """
    label = label or Label()
    found = aggregates(
        min_shoppers=label.min_shoppers, unprotected=label.unprotected, stated=label.stated
    )
    model, graph = blend(), exported()
    if by_daypart:
        found = with_dayparts(found)
        model, graph = blend_by_daypart(), exported_by_daypart()
    made = model_files(model, graph, found, ROWS, policy=policy) | dict(files or {})
    with tempfile.TemporaryDirectory() as place:
        for name, data in made.items():
            (Path(place) / name).write_bytes(data)
        unsigned = build_bundle(
            Path(place),
            name="corner-shop",
            version=version,
            issued_at=issued_at,
            expires=NOW + 3 * YEAR,
            root=TRUST,
        )
    return sign_bundle(unsigned, ALICE.bundle[0])


TRUST: Final = Publisher(ALICE).trust


@cache
def verified() -> VerifiedBundle:
    """Return the shop's bundle as the device gets it."""
    return verify_bundle(bundle_bytes(), trust=TRUST, now=NOW)


@cache
def verified_by_daypart() -> VerifiedBundle:
    """Return the bundle of the shop whose time of day is known."""
    return verify_bundle(bundle_bytes(by_daypart=True), trust=TRUST, now=NOW)


def event(
    item_id: str, *, days: float = 1, kind: Kind = "purchase", visit: int = 0, order: int = 0
) -> Event:
    """Return an event of a history, `days` before `NOW`."""
    return Event(
        kind=kind,
        item_id=ItemId(item_id),
        time=NOW - timedelta(days=days),
        visit=visit,
        order=order,
    )


def question(
    events: Sequence[tuple[int, int, float, int, int]] = (), candidates: Sequence[int] = ()
) -> GraphInputs:
    """Ask about rows.

    Args:
        events: item, kind code, age in days, visits ago, rank.
        candidates: rows.
    """
    columns = list(zip(*events, strict=True)) or [()] * 5
    item, kind, age, visit, rank = columns
    return GraphInputs(
        event_item=np.array(item, dtype=np.int64),
        event_kind=np.array(kind, dtype=np.int64),
        event_age_days=np.array(age, dtype=np.float32),
        event_visit=np.array(visit, dtype=np.int64),
        event_rank=np.array(rank, dtype=np.int64),
        event_quantity=np.ones(len(events), dtype=np.float32),
        candidate=np.array(candidates, dtype=np.int64),
        situation=np.array([1], dtype=np.int64),
        daypart=np.array([-1], dtype=np.int64),
    )


VIEW, CART, PURCHASE, LIKE, DISLIKE = range(len(KINDS))
