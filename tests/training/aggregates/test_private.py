"""The release with noise: what one shopper can move, and what may show at all (invariant P8)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from shelfrank_training.aggregates import (
    AggregateSettings,
    LedgerUse,
    aggregate,
    prepare,
    secret_counts,
)
from shelfrank_training.aggregates import private as p
from shelfrank_training.aggregates.folder import KEYS
from shelfrank_training.aggregates.ledger import Ledger
from shelfrank_training.aggregates.noise import UNIT, Sensitivity
from shelfrank_training.aggregates.portions import Portion
from shelfrank_training.aggregates.secret_counts import SecretCounts
from shelfrank_training.errors import PrivacyError
from shelfrank_training.events import Holdout, open_engine
from shelfrank_training.events.catalog import read_catalog
from support.noise_sources import Exact, ShowsAll
from support.shop import (
    START,
    Line,
    policy,
    random_lines,
    rows_of,
    write_catalog,
    write_events,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from ibis.backends.duckdb import Backend

    from shelfrank_training.aggregates import Aggregates
    from shelfrank_training.aggregates.noise import NoiseSource
    from shelfrank_training.aggregates.secret_counts import Keyed
    from shelfrank_training.events.catalog import CatalogTable

ITEMS = [f"item-{number:02}" for number in range(14)]
CATEGORY_OF: dict[str, str | None] = {item: f"C{number % 5}" for number, item in enumerate(ITEMS)}
CATEGORY_OF[ITEMS[0]] = None
END = START + timedelta(days=400)
NOISY = AggregateSettings(
    min_shoppers=3, unprotected=True, epsilon=1.0, delta=1e-3, until=END.replace(tzinfo=UTC)
)
EXACT = replace(NOISY, epsilon=None)

SMALL = {
    "CHOOSING": Portion(full=2, widest=6, rooted=True),
    "ITEM_PAIRS": Portion(full=2, widest=5),
    "RECENT_ITEMS": Portion(full=2, widest=5, rooted=True),
    "CATEGORY_PAIRS": Portion(full=2, widest=3),
    "REPEATS": Portion(full=1, widest=2, rooted=True),
}
"""So small that shoppers of a dozen items are bounded and count in part."""


def release(
    folder: Path,
    lines: Sequence[Line],
    settings_: AggregateSettings = NOISY,
    *,
    source: NoiseSource,
    category_of: dict[str, str | None] = CATEGORY_OF,
) -> Aggregates:
    folder.mkdir(exist_ok=True)
    events = write_events(folder / "events.parquet", lines)
    catalog = write_catalog(folder / "catalog.parquet", category_of)
    with prepare(events, catalog, settings_) as counting:
        return counting.release(settings_, source=source).aggregates


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return random_lines(np.random.default_rng(5), 500, shoppers=30, items=ITEMS)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, CatalogTable]]:
    path = write_catalog(tmp_path_factory.mktemp("shop") / "catalog.parquet", CATEGORY_OF)
    with open_engine() as engine:
        yield engine, read_catalog(path)


def exact_counts(shop: tuple[Backend, CatalogTable], lines: Sequence[Line], k: int) -> SecretCounts:
    import ibis

    engine, catalog = shop
    table = pa.table(
        {
            "shopper_id": [line.shopper for line in lines],
            "item_id": [line.item for line in lines],
            "time": pa.array([line.time for line in lines], pa.timestamp("us")),
            "kind": [line.kind for line in lines],
            "visit_id": [line.visit for line in lines],
        }
    )
    events = ibis.memtable(table)
    return SecretCounts(engine, events, catalog, end=END, settings=replace(NOISY, min_shoppers=k))


def keyed(found: Keyed) -> dict[tuple[int, ...], int]:
    keys = zip(*(key.tolist() for key in found.keys), strict=True)
    return dict(zip(keys, found.amount.tolist(), strict=True))


def dense(found: npt.NDArray[np.int64]) -> dict[tuple[int, ...], int]:
    return {(place,): value for place, value in enumerate(found.tolist())}


CHOSEN = np.arange(2, 14, dtype=np.int64)
PASSES: dict[
    str,
    tuple[
        Callable[[SecretCounts], dict[tuple[int, ...], int]],
        Callable[[dict[str, Portion]], Sensitivity],
    ],
] = {
    "shoppers": (
        lambda c: {(0,): c.n_shoppers * UNIT},
        lambda _: p.WHOLE_SHOPPERS,
    ),
    "items": (lambda c: keyed(c.items), lambda s: s["CHOOSING"].of_units()),
    "items.shoppers": (
        lambda c: dense(c.of_items(CHOSEN).shoppers),
        lambda s: s["ITEM_PAIRS"].of_units(),
    ),
    "items.weight": (
        lambda c: dense(c.of_items(CHOSEN).weight),
        lambda s: s["RECENT_ITEMS"].of_units(),
    ),
    "items.total": (lambda c: {(0,): c.of_items(CHOSEN).total}, lambda _: p.WHOLE_SHOPPERS),
    "pairs": (lambda c: keyed(c.of_items(CHOSEN).pairs), lambda s: s["ITEM_PAIRS"].of_pairs()),
    "categories": (
        lambda c: keyed(c.category_units),
        lambda s: s["CATEGORY_PAIRS"].of_units(),
    ),
    "categories.weight": (
        lambda c: dense(c.category_recent),
        lambda s: s["CATEGORY_PAIRS"].of_units(),
    ),
    "categories.total": (lambda c: {(0,): c.categories_total}, lambda _: p.WHOLE_SHOPPERS),
    "category_pairs": (
        lambda c: keyed(c.category_pairs),
        lambda s: s["CATEGORY_PAIRS"].of_pairs(),
    ),
    "category_repeats": (
        lambda c: keyed(c.category_repeats),
        lambda s: s["REPEATS"].of_units(),
    ),
}
"""Every pass over the data: what is counted, and how far one shopper may move it."""


def test_every_pass_that_costs_something_is_held_against_its_bound() -> None:
    from shelfrank_training.aggregates.budget import SPLIT

    assert set(PASSES) == set(SPLIT)


@pytest.mark.slow
# No shrinking: a smaller seed is no simpler shop.
@settings(max_examples=5, deadline=None, derandomize=True, phases=[Phase.generate])
@given(seed=st.integers(0, 2**32 - 1), k=st.sampled_from([1, 2, 5]), much=st.integers(1, 120))
def test_one_shopper_more_or_less_moves_each_pass_no_further_than_declared(
    shop: tuple[Backend, CatalogTable], seed: int, k: int, much: int
) -> None:
    rng = np.random.default_rng(seed)
    lines = random_lines(rng, 150, shoppers=8, items=ITEMS)
    more = lines + [
        replace(line, shopper="one more")
        for line in random_lines(rng, much, shoppers=1, items=ITEMS)
    ]
    with pytest.MonkeyPatch.context() as patch:
        for name, portion in SMALL.items():
            patch.setattr(secret_counts, name, portion)
        before, after = exact_counts(shop, lines, k), exact_counts(shop, more, k)
        for name, (count, bound) in PASSES.items():
            old, new, allowed = count(before), count(after), bound(SMALL)
            moved = [new.get(key, 0) - old.get(key, 0) for key in old.keys() | new.keys()]
            changed = np.array([step for step in moved if step], dtype=np.int64)
            assert changed.size <= allowed.l0, name
            assert np.abs(changed).max(initial=0) <= allowed.linf, name
            assert np.sqrt((changed.astype(float) ** 2).sum()) <= allowed.l2 * (1 + 1e-12), name


@pytest.mark.parametrize("full", [1, 3, 10])
@pytest.mark.parametrize("rooted", [False, True])
def test_the_bound_of_a_portion_holds_for_every_number_of_units_and_is_reached(
    full: int, rooted: bool
) -> None:
    portion = Portion(full=full, widest=1000, rooted=rooted)

    lengths = [portion.of(n) * np.sqrt(n) for n in range(1, 1001)]

    assert max(lengths) <= portion.of_units().l2 * (1 + 1e-12)
    assert max(lengths) > 0.99 * portion.of_units().l2
    if rooted:
        with pytest.raises(ValueError, match="does not bound pairs"):
            portion.of_pairs()
    else:
        pairs = [portion.of(n) * np.sqrt(n * (n - 1) / 2) for n in range(2, 1001)]
        assert max(pairs) <= portion.of_pairs().l2 * (1 + 1e-12)
        assert max(pairs) > 0.95 * portion.of_pairs().l2 or full == 1


def true_shoppers(lines: Sequence[Line], name: str) -> dict[tuple[str, ...], int]:
    """Count distinct shoppers of each row of a table, without any bound."""
    owned: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.kind != "dislike":
            category = CATEGORY_OF[line.item]
            owned[line.shopper].add(category or "" if "categor" in name else line.item)
    counted: dict[tuple[str, ...], int] = defaultdict(int)
    for things in owned.values():
        rows = combinations(sorted(things - {""}), 2 if "pairs" in name else 1)
        for row in rows:
            counted[row] += 1
    return counted


@pytest.mark.parametrize("k", [3, 12])
def test_whatever_the_noise_no_row_stands_for_fewer_shoppers_than_promised(
    tmp_path: Path, lines: list[Line], monkeypatch: pytest.MonkeyPatch, k: int
) -> None:
    monkeypatch.setattr(p, "SIGNIFICANT", 0.0)
    # A source that shows every key it is given: the noise hides nothing, the rule alone holds.
    found = release(tmp_path, lines, replace(NOISY, min_shoppers=k), source=ShowsAll())

    for name in ("items", "pairs", "categories", "category_pairs"):
        counted = true_shoppers(lines, name)
        rows = rows_of(found, name)
        n_keys = len(KEYS[name])
        assert rows or k > 3, name
        assert all(counted[tuple(map(str, row[:n_keys]))] >= k for row in rows), name
        assert all(int(row[n_keys]) >= k for row in rows), name
    assert found.table("items").num_rows < len(ITEMS) or k == 3


def test_without_noise_the_tables_are_those_of_shoppers_that_count_in_full(tmp_path: Path) -> None:
    # Nobody has more than four items or two categories, so everybody counts whole.
    lines = [
        Line(shopper=f"s{n}", item=item, visit=str(visit), minute=visit * 7 * 1440)
        for n in range(40)
        for visit, item in enumerate([ITEMS[1], ITEMS[2], ITEMS[1]] + [ITEMS[3]] * (n < 30))
    ]
    settings_ = replace(NOISY, min_shoppers=20, unprotected=False, epsilon=100.0)

    found = release(tmp_path, lines, settings_, source=Exact())

    assert rows_of(found, "items") == [
        (ITEMS[1], 40, found.table("items")["weight"][0].as_py()),
        (ITEMS[2], 40, found.table("items")["weight"][1].as_py()),
        (ITEMS[3], 30, found.table("items")["weight"][2].as_py()),
    ]
    assert rows_of(found, "category_pairs") == [
        ("C1", "C2", 40),
        ("C1", "C3", 30),
        ("C2", "C3", 30),
    ]
    assert rows_of(found, "category_repeats") == [("C1", 14, 40)]
    assert found.info.shoppers == 40
    assert found.info.tables["items"].total == 40


def test_a_household_of_many_items_counts_in_part(tmp_path: Path) -> None:
    many = {f"item-{n:04}": "X" if n % 2 else "Y" for n in range(40)}
    lines = [Line(shopper=f"s{n}", item=item) for n in range(400) for item in many]
    settings_ = replace(NOISY, min_shoppers=20, unprotected=False, epsilon=50.0)

    found = release(tmp_path, lines, settings_, source=Exact(), category_of=dict(many))

    # Of 40 items a shopper counts 10 / 40 in each, for pairs; in two categories, whole.
    assert {row[1] for row in rows_of(found, "items")} == {100}
    assert found.info.tables["items"].total == 100
    assert {row[1] for row in rows_of(found, "categories")} == {400}


def test_pairs_that_say_no_more_than_their_items_are_left_out(tmp_path: Path) -> None:
    # All have d; half of the shoppers have a, half have b, independently; c goes with a alone.
    lines = []
    for n in range(4000):
        a, b = n % 2, n // 2 % 2
        things = ["d"] + ["a"] * a + ["b"] * b + ["c"] * a
        lines += [Line(shopper=f"s{n}", item=item) for item in things]
    settings_ = replace(NOISY, min_shoppers=20, unprotected=False, epsilon=20.0, delta=1e-4)
    category_of: dict[str, str | None] = {"a": None, "b": None, "c": None, "d": None}

    found = release(tmp_path, lines, settings_, source=Exact(), category_of=category_of)

    assert [row[:2] for row in rows_of(found, "pairs")] == [("a", "c")]


def test_the_description_holds_no_fact_about_the_data_but_noisy_ones(
    tmp_path: Path, lines: list[Line]
) -> None:
    old = [Line(shopper="ancient", item=ITEMS[3], minute=-3000 * 1440)]
    first = release(tmp_path / "a", lines, source=Zeros())
    second = release(tmp_path / "b", lines + old, source=Zeros())

    assert first.info.to_json() == second.info.to_json()
    written = first.info.to_json()
    assert written["time_range"] == {"from": None, "to": "2021-02-04T00:00:00+00:00"}
    assert written["excluded"] == {
        "categories": [],
        "sensitive_items": 0,
        "sensitive_events": None,
    }
    assert all(table.suppressed_share is None for table in first.info.tables.values())


class Zeros(Exact):
    """Says the same whatever is asked: nothing that differs can come through noise."""

    def add(self, counts: npt.NDArray[np.int64], *, scale: float) -> npt.NDArray[np.int64]:  # noqa: ARG002
        return np.zeros_like(counts)

    def add_and_cut(
        self,
        counts: npt.NDArray[np.int64],  # noqa: ARG002
        *,
        scale: float,  # noqa: ARG002
        threshold: int,  # noqa: ARG002
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int64)


def test_held_out_and_sensitive_leave_no_trace(tmp_path: Path, lines: list[Line]) -> None:
    holdout = Holdout(share=0.3)
    rules = replace(
        NOISY, min_shoppers=10, holdout=holdout, policy=policy(sensitive=("c1",), min_shoppers=10)
    )
    sensitive = {item for item, category in CATEGORY_OF.items() if category == "C1"}
    kept = [
        line for line in lines if line.item not in sensitive and not holdout.contains(line.shopper)
    ]

    found = release(tmp_path / "all", lines, rules, source=ShowsAll())
    clean = release(tmp_path / "kept", kept, rules, source=ShowsAll())

    assert 0 < len(kept) < len(lines)
    assert found.info == clean.info
    assert not {row[0] for row in rows_of(found, "items")} & sensitive


def test_the_order_of_the_rows_changes_nothing_but_the_noise(
    tmp_path: Path, lines: list[Line]
) -> None:
    shuffled = [lines[i] for i in np.random.default_rng(1).permutation(len(lines))]

    first = release(tmp_path / "a", lines, source=Exact())
    second = release(tmp_path / "b", shuffled, source=Exact())

    assert first.info == second.info


def test_two_releases_of_the_same_shop_differ(tmp_path: Path) -> None:
    lines = [Line(shopper=f"s{n}", item=ITEMS[n % 3]) for n in range(900)]
    events = write_events(tmp_path / "events.parquet", lines)
    catalog = write_catalog(tmp_path / "catalog.parquet", CATEGORY_OF)

    with prepare(events, catalog, NOISY) as counting:
        weights = [
            counting.release(NOISY).aggregates.table("items")["weight"].to_pylist()
            for _ in range(2)
        ]

    assert len(weights[0]) == 3
    assert weights[0] != weights[1]


def test_what_costs_something_is_said_per_table_and_adds_up(
    tmp_path: Path, lines: list[Line]
) -> None:
    info = release(tmp_path, lines, source=Exact()).info

    noise = [entry for table in info.tables.values() for entry in table.noise]
    assert info.mechanism == "gaussian_threshold"
    assert info.accountant is not None
    assert info.accountant.startswith("zCDP, OpenDP ")
    assert (info.epsilon, info.delta) == (1.0, 1e-3)
    assert all(0 < entry.epsilon < 1 for entry in noise)
    assert sum(entry.delta for entry in noise) <= 1e-3 / 2
    for name in ("next", "repeats"):
        assert info.tables[name].noise == ()
        assert info.tables[name].rows == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"until": None}, "without until"),
        ({"epsilon": 0.0}, "epsilon is 0, wanted more than 0"),
        ({"max_items": 5}, "max_items is 5, but with epsilon"),
        ({"epsilon": None, "ledger": True}, "a ledger was given without epsilon"),
    ],
)
def test_settings_that_promise_nothing_are_refused_and_nothing_is_written(
    tmp_path: Path, lines: list[Line], change: dict[str, object], message: str
) -> None:
    if "ledger" in change:
        change = change | {"ledger": LedgerUse(path=tmp_path / "ledger", now=NOW)}
    asked = replace(NOISY, **change)  # type: ignore[arg-type]
    events = write_events(tmp_path / "events.parquet", lines)
    catalog = write_catalog(tmp_path / "catalog.parquet", CATEGORY_OF)

    with pytest.raises(PrivacyError, match=message):
        aggregate(events, catalog, tmp_path / "out", asked)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["catalog.parquet", "events.parquet"]


NOW = END.replace(tzinfo=UTC)


def test_a_release_is_entered_in_the_ledger_and_says_so(tmp_path: Path, lines: list[Line]) -> None:
    events = write_events(tmp_path / "events.parquet", lines)
    catalog = write_catalog(tmp_path / "catalog.parquet", CATEGORY_OF)
    use = LedgerUse(path=tmp_path / "ledger", now=NOW, yearly_epsilon=1.3)
    asked = replace(NOISY, ledger=use)

    found = aggregate(events, catalog, tmp_path / "one", asked)

    assert found.info.ledger is not None
    assert found.info.ledger.releases == 1
    assert found.info.ledger.epsilon_spent == pytest.approx(1.0, abs=1e-3)
    assert len(Ledger.parse(use.path.read_bytes()).releases) == 1
    with pytest.raises(PrivacyError, match=r"the ledger permits 1\.3"):
        aggregate(events, catalog, tmp_path / "two", asked)
    assert not (tmp_path / "two").exists()
    assert len(Ledger.parse(use.path.read_bytes()).releases) == 1


def test_what_is_written_can_be_read_and_holds_no_exact_number(
    tmp_path: Path, lines: list[Line]
) -> None:
    events = write_events(tmp_path / "events.parquet", lines)
    catalog = write_catalog(tmp_path / "catalog.parquet", CATEGORY_OF)

    aggregate(events, catalog, tmp_path / "out", NOISY)

    from shelfrank_training.aggregates import read_aggregates

    found = read_aggregates(tmp_path / "out")
    assert found.info.epsilon == 1.0
    assert set(pq.read_table(tmp_path / "out" / "pairs.parquet").column_names) == {
        *KEYS["pairs"],
        "shoppers",
    }


@dataclass(frozen=True, slots=True)
class Shifted(Exact):
    """Says of every number that is known to exist how much more it is."""

    by: int

    def add(self, counts: npt.NDArray[np.int64], *, scale: float) -> npt.NDArray[np.int64]:  # noqa: ARG002
        return counts + self.by * UNIT


@pytest.mark.parametrize(("by", "refused"), [(0, False), (20, False), (21, True)])
def test_delta_is_held_against_the_number_of_shoppers_with_its_noise(
    tmp_path: Path, by: int, refused: bool
) -> None:
    # 30 shoppers and one over 50: a refusal must not tell how many there are exactly.
    lines = [Line(shopper=f"s{number}", item=ITEMS[1]) for number in range(30)]
    asked = replace(NOISY, delta=1 / 50)

    if refused:
        with pytest.raises(PrivacyError, match=r"delta is 0\.02, more than one over the number"):
            release(tmp_path, lines, asked, source=Shifted(by))
    else:
        release(tmp_path, lines, asked, source=Shifted(by))
