"""What aggregation promises about shoppers (invariants P5 and P8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shelfrank_training.aggregates import Aggregates, AggregateSettings
from shelfrank_training.aggregates.folder import KEYS
from shelfrank_training.aggregates.settings import check_min_shoppers, choose_max_items
from shelfrank_training.errors import PrivacyError
from shelfrank_training.events import Holdout
from support.shop import START, Line, aggregate_lines, policy, random_lines, rows_of

if TYPE_CHECKING:
    from pathlib import Path

ITEMS = [f"item-{number}" for number in range(12)]
CATEGORY_OF: dict[str, str | None] = {item: f"C{number % 4}" for number, item in enumerate(ITEMS)}
END = START + timedelta(days=400)
FEW = AggregateSettings(min_shoppers=3, unprotected=True, until=END.replace(tzinfo=UTC))


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return random_lines(np.random.default_rng(0), 600, shoppers=30, items=ITEMS)


@pytest.fixture(scope="module")
def normal(tmp_path_factory: pytest.TempPathFactory, lines: list[Line]) -> Aggregates:
    return aggregate_lines(tmp_path_factory.mktemp("normal"), lines, CATEGORY_OF, FEW)


def digests(aggregates: Aggregates) -> dict[str, str]:
    return {name: table.sha256 for name, table in aggregates.info.tables.items()}


def test_no_published_number_stands_for_fewer_shoppers_than_promised(
    tmp_path: Path, lines: list[Line], normal: Aggregates
) -> None:
    strict = aggregate_lines(
        tmp_path, lines, CATEGORY_OF, replace(FEW, min_shoppers=15, unprotected=False)
    )

    for name in KEYS:
        assert all(n >= 15 for n in strict.table(name)["shoppers"].to_pylist()), name
    assert strict.table("pairs").num_rows < normal.table("pairs").num_rows


def test_the_order_of_the_rows_changes_no_bit(
    tmp_path: Path, lines: list[Line], normal: Aggregates
) -> None:
    shuffled = [lines[i] for i in np.random.default_rng(1).permutation(len(lines))]

    again = aggregate_lines(tmp_path, shuffled, CATEGORY_OF, FEW)

    assert digests(again) == digests(normal)


def test_held_out_shoppers_change_no_bit_of_the_folder(tmp_path: Path, lines: list[Line]) -> None:
    holdout = Holdout(share=0.3)
    kept = [line for line in lines if not holdout.contains(line.shopper)]
    assert 0 < len(kept) < len(lines)
    (tmp_path / "all").mkdir()
    (tmp_path / "kept").mkdir()

    with_them = aggregate_lines(tmp_path / "all", lines, CATEGORY_OF, replace(FEW, holdout=holdout))
    aggregate_lines(tmp_path / "kept", kept, CATEGORY_OF, replace(FEW, holdout=holdout))

    for file in (tmp_path / "all" / "out").iterdir():
        assert file.read_bytes() == (tmp_path / "kept" / "out" / file.name).read_bytes(), file.name
    assert with_them.info.holdout == holdout


def test_sensitive_items_leave_no_trace(tmp_path: Path, lines: list[Line]) -> None:
    rules = replace(FEW, min_shoppers=20, unprotected=False, policy=policy(sensitive=("c1",)))
    sensitive = {item for item, category in CATEGORY_OF.items() if category == "C1"}
    without = [line for line in lines if line.item not in sensitive]
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()

    found = aggregate_lines(tmp_path / "with", lines, CATEGORY_OF, rules)
    clean = aggregate_lines(tmp_path / "without", without, CATEGORY_OF, rules)

    assert digests(found) == digests(clean)
    for file in (tmp_path / "with" / "out").iterdir():
        content = file.read_bytes()
        assert not any(item.encode() + b'"' in content for item in sensitive)
    for name in KEYS:
        cells = {cell for row in rows_of(found, name) for cell in row}
        assert not cells & (sensitive | {"C1"}), name
    assert found.info.excluded_categories == ("c1",)
    assert (found.info.sensitive_items, found.info.sensitive_events) == (
        3,
        len(lines) - len(without),
    )


def test_events_of_sensitive_items_are_counted_only_over_enough_shoppers(tmp_path: Path) -> None:
    lines = [Line(shopper=f"s{number}", item="bread") for number in range(20)]
    lines.append(Line(shopper="s3", item="pills"))

    found = aggregate_lines(
        tmp_path,
        lines,
        {"bread": "FOOD", "pills": "DRUGS"},
        AggregateSettings(min_shoppers=20, policy=policy(sensitive=("drugs",))),
    )

    assert found.info.sensitive_events is None


def test_a_category_of_two_does_not_give_away_their_suppressed_pair(tmp_path: Path) -> None:
    # a and b share category AB. 12 shoppers have a, 12 have b, 4 of them both: suppressed. If the
    # 20 shoppers of AB were published, 12 + 12 - 20 would be the 4.
    lines = [Line(shopper=f"s{number}", item="a") for number in range(12)]
    lines += [Line(shopper=f"s{number}", item="b") for number in range(8, 20)]
    lines += [Line(shopper=f"s{number}", item="c") for number in range(12)]
    # Others, so that the total says nothing about a and b.
    lines += [Line(shopper=f"t{number}", item="z") for number in range(90)]
    open_pair = [Line(shopper=f"s{number}", item="b") for number in range(8)]
    names: dict[str, str | None] = {"a": "AB", "b": "AB", "c": "C", "z": None}
    (tmp_path / "shut").mkdir()
    (tmp_path / "open").mkdir()
    ten = AggregateSettings(min_shoppers=10)

    shut = aggregate_lines(tmp_path / "shut", lines, names, ten)
    opened = aggregate_lines(tmp_path / "open", lines + open_pair, names, ten)

    assert [row[:2] for row in rows_of(shut, "pairs")] == [("a", "c")]
    assert [row[0] for row in rows_of(shut, "categories")] == ["C"]
    assert rows_of(shut, "category_pairs") == []
    assert [row[0] for row in rows_of(opened, "categories")] == ["AB", "C"]


def test_the_range_of_time_is_no_fact_about_few_shoppers(tmp_path: Path) -> None:
    lines = [Line(shopper=f"s{n}", item="a", minute=10 * 1440 + n + 1) for n in range(12)]
    lines += [Line(shopper="early", item="a", minute=0)]
    lines += [Line(shopper="mistyped", item="a", minute=80 * 365 * 1440)]

    found = aggregate_lines(tmp_path, lines, {"a": "X"}, AggregateSettings(min_shoppers=10))

    assert found.info.time_from == (START + timedelta(days=10)).replace(tzinfo=UTC)
    assert found.info.time_to == (START + timedelta(days=11)).replace(tzinfo=UTC)
    assert rows_of(found, "items") == [("a", 12, 12_000)]


def test_who_comes_at_until_or_later_does_not_count(tmp_path: Path) -> None:
    before = [Line(shopper=f"s{number}", item="a", minute=1439) for number in range(10)]
    later = [Line(shopper=f"t{number}", item="a", minute=1440) for number in range(10)]
    until = AggregateSettings(
        min_shoppers=10, until=(START + timedelta(days=1)).replace(tzinfo=UTC)
    )

    with pytest.raises(PrivacyError, match="fewer shoppers"):
        aggregate_lines(tmp_path, before[1:] + later, {"a": "X"}, until)
    found = aggregate_lines(tmp_path, before + later, {"a": "X"}, until)

    assert rows_of(found, "items") == [("a", 10, 10_000)]
    assert found.info.time_to == until.until


def test_fewer_shoppers_than_the_threshold_publish_nothing(tmp_path: Path) -> None:
    lines = [Line(shopper=f"s{number}", item="a") for number in range(9)]

    with pytest.raises(PrivacyError, match="fewer shoppers than min_shoppers 10"):
        aggregate_lines(tmp_path, lines, {"a": "X"}, AggregateSettings(min_shoppers=10))

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("asked", "refused"), [(1, True), (9, True), (10, False), (19, False), (20, False)]
)
def test_a_low_threshold_needs_the_word_unprotected(asked: int, refused: bool) -> None:
    normal_settings = AggregateSettings(min_shoppers=asked)

    if refused:
        with pytest.raises(PrivacyError, match=f"min_shoppers is {asked}, wanted 10"):
            check_min_shoppers(normal_settings)
    else:
        check_min_shoppers(normal_settings)

    colour = "red" if asked < 10 else "amber" if asked < 20 else ""
    notes = check_min_shoppers(replace(normal_settings, unprotected=True))
    assert [note.split(":")[0] for note in notes] == ([colour] if colour else [])


def test_the_policy_can_ask_for_more_shoppers_and_unprotected_does_not_override_it() -> None:
    asked = AggregateSettings(min_shoppers=30, policy=policy(min_shoppers=40), unprotected=True)

    with pytest.raises(PrivacyError, match="is 30, the policy wants 40"):
        check_min_shoppers(asked)

    check_min_shoppers(replace(asked, min_shoppers=40))


def test_large_tables_count_fewer_items_of_a_shopper() -> None:
    normal_settings = AggregateSettings()

    assert choose_max_items(normal_settings, 10_000_000) == 100
    assert choose_max_items(normal_settings, 10_000_001) == 50
    assert choose_max_items(AggregateSettings(max_items=7), 10_000_001) == 7


def test_the_folder_holds_no_digest_or_count_of_rows_that_a_guess_could_be_tested_with(
    normal: Aggregates,
) -> None:
    written = normal.info.to_json()

    assert written["source"] == {"events": "events.parquet", "catalog": "catalog.parquet"}
    assert set(written) == {
        *("format", "source", "time_range", "shoppers", "holdout", "bounds", "half_life_days"),
        *("min_shoppers", "unprotected", "mechanism", "epsilon", "delta", "accountant", "policy"),
        *("outcomes", "ledger"),
        *("has_categories", "excluded", "engine", "tables"),
    }
