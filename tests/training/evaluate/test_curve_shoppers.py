"""Shoppers are drawn, copied and counted so that a curve's points differ in what they say only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from shelfrank_training.aggregates.folder import KEYS
from shelfrank_training.errors import DataError
from shelfrank_training.evaluate.curves.counting import (
    Training,
    copied,
    delta_for,
    draw,
    open_training,
)
from shelfrank_training.evaluate.curves.plan import (
    UNPROTECTED,
    CurveSettings,
    Setting,
    batches,
)
from shelfrank_training.events import Holdout
from shelfrank_training.progress import Silent
from support.generated_shop import CUTOFF, SHAPE, START, Shape, generate_shop
from support.shop import policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shelfrank_training.aggregates import Aggregates
    from support.generated_shop import GeneratedShop

SMALL = Shape(n_items=60, n_categories=6, n_departments=3, n_lifestyles=3, n_styles=2)
HOLDOUT = Holdout(share=0.4)
SETTINGS = CurveSettings(cutoff=CUTOFF, holdout=HOLDOUT, policy=policy(min_shoppers=20))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> GeneratedShop:
    folder = tmp_path_factory.mktemp("shop")
    return generate_shop(folder, np.random.default_rng(3), 200, shape=SMALL)


@pytest.fixture(scope="module")
def training(shop: GeneratedShop) -> Iterator[Training]:
    with open_training(shop.events, shop.catalog, SETTINGS, progress=Silent()) as opened:
        yield opened


def released(training: Training, copies: np.ndarray, setting: Setting = UNPROTECTED) -> Aggregates:
    with training.drawn(copies) as shoppers:
        found = shoppers.release(setting, delta=1e-6)
    assert found is not None
    return found


def numbers(found: Aggregates, table: str) -> dict[tuple[object, ...], tuple[int, ...]]:
    """Return key → what was counted."""
    rows = found.table(table).to_pylist()
    keys = KEYS[table]
    return {
        tuple(row[key] for key in keys): tuple(v for k, v in row.items() if k not in keys)
        for row in rows
    }


def test_nobody_held_out_and_nothing_from_the_cutoff_on_is_there_to_learn_from(
    shop: GeneratedShop, training: Training
) -> None:
    events = pq.read_table(shop.events)
    early = events.filter(pc.less(events["time"], CUTOFF.replace(tzinfo=None)))
    wanted = {one for one in early["shopper_id"].to_pylist() if not HOLDOUT.contains(one)}

    assert set(training.shopper_ids.to_pylist()) == wanted
    assert len(wanted) < len(set(early["shopper_id"].to_pylist()))
    assert training.n_events == sum(one in wanted for one in early["shopper_id"].to_pylist())


def test_drawing_everybody_without_replacement_is_the_whole(training: Training) -> None:
    everybody = np.ones(training.n_shoppers, dtype=np.int64)

    drawn = draw(np.random.default_rng(1), training.n_shoppers, training.n_shoppers)

    assert (drawn == everybody).all()
    whole, again = released(training, everybody), released(training, drawn)
    assert all(whole.table(name).equals(again.table(name)) for name in KEYS)


def test_three_copies_of_everybody_triple_every_exact_count(training: Training) -> None:
    """Under the hold-out's own hash many copies would be kept out: nobody may be missing."""
    once = released(training, np.ones(training.n_shoppers, dtype=np.int64))
    thrice = released(training, np.full(training.n_shoppers, 3))

    assert thrice.info.shoppers == 3 * once.info.shoppers
    for table in KEYS:
        single = numbers(once, table)
        assert numbers(thrice, table) == {
            key: tuple(3 * value for value in values) for key, values in single.items()
        }
    assert numbers(once, "pairs")
    assert numbers(once, "repeats")


def test_fewer_shoppers_are_drawn_without_replacement_and_each_draw_is_another() -> None:
    rng = np.random.default_rng(1)

    first, second = draw(rng, 100, 30), draw(rng, 100, 30)

    assert first.sum() == second.sum() == 30
    assert first.max() == 1
    assert (first != second).any()


def test_more_shoppers_are_whole_copies_and_a_rest() -> None:
    drawn = draw(np.random.default_rng(1), 100, 250)

    assert drawn.sum() == 250
    assert set(drawn) == {2, 3}


def test_a_copy_has_an_id_of_its_own_and_the_same_rows() -> None:
    rows = pa.table({"shopper_id": ["a", "b", "a"], "item_id": ["x", "y", "z"]})

    made = copied(rows, np.array([0, 1, 0]), np.array([2, 0]))

    theirs: dict[str, set[str]] = {}
    for row in made.to_pylist():
        theirs.setdefault(row["shopper_id"], set()).add(row["item_id"])
    assert theirs["a"] == {"x", "z"}
    assert len(theirs) == 2
    assert all(items == {"x", "z"} for items in theirs.values())


def test_a_policy_does_not_keep_lower_thresholds_from_being_compared(training: Training) -> None:
    found = released(training, np.ones(training.n_shoppers, dtype=np.int64))

    assert found.info.min_shoppers == 1
    assert found.info.policy == ("test", 3)


def test_where_nothing_comes_through_there_is_no_release(training: Training) -> None:
    everybody = np.ones(training.n_shoppers, dtype=np.int64)
    with training.drawn(everybody) as shoppers:
        too_few = Setting(min_shoppers=training.n_shoppers + 1)
        assert shoppers.release(too_few, delta=1e-6) is None
        nobody_has_it = Setting(min_shoppers=training.n_shoppers)
        assert shoppers.release(nobody_has_it, delta=1e-6) is None


def test_delta_is_less_where_many_shoppers_need_it() -> None:
    assert delta_for(1e-6, 1_000) == 1e-6
    assert delta_for(1e-6, 1_000_000) == pytest.approx(1e-7)


def test_a_cutoff_before_everything_is_told_before_anything_is_made(shop: GeneratedShop) -> None:
    settings = CurveSettings(cutoff=START, holdout=HOLDOUT)

    with (
        pytest.raises(DataError, match="no shopper to learn from before 2020-01-01"),
        open_training(shop.events, shop.catalog, settings, progress=Silent()),
    ):
        pass


def test_what_is_made_besides_the_unprotected_model_is_each_kind_once() -> None:
    settings = CurveSettings(
        cutoff=CUTOFF,
        epsilons=(1.0, 8.0, 1.0),
        thresholds=(1, 10, 20),
        min_shoppers=20,
        multiples=(0.5, 1.0, 3.0),
        draws=10,
        resamples=2,
    )

    here, *elsewhere = batches(settings)

    assert dict(here.models) == {
        Setting(min_shoppers=10): 1,
        Setting(min_shoppers=20): 1,
        Setting(min_shoppers=20, epsilon=8.0): 10,
        Setting(min_shoppers=20, epsilon=1.0): 10,
    }
    assert [batch.multiple for batch in elsewhere] == [0.5, 0.5, 3.0]
    # Fewer shoppers are drawn anew for each model; of copies only the noise differs.
    assert set(dict(elsewhere[0].models).values()) == {1}
    assert Setting(multiple=0.5) in dict(elsewhere[0].models)
    assert dict(elsewhere[2].models)[Setting(multiple=3.0, min_shoppers=20)] == 1
    assert dict(elsewhere[2].models)[Setting(multiple=3.0, min_shoppers=20, epsilon=1.0)] == 2


def test_without_a_threshold_nothing_is_made_twice_from_fewer_shoppers() -> None:
    settings = CurveSettings(cutoff=CUTOFF, epsilons=(), min_shoppers=1, multiples=(0.5,))

    assert [batch.models for batch in batches(settings)[1:]] == [
        ((Setting(multiple=0.5), 1),)
    ] * settings.resamples


@pytest.mark.parametrize(
    "wrong",
    [
        {"holdout": Holdout(share=0.0)},
        {"draws": 0},
        {"thresholds": (0, 10)},
        {"epsilons": (0.0,)},
        {"multiples": (-1.0,)},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"is 0|above 0|held out"):
        CurveSettings(cutoff=CUTOFF, **wrong)  # type: ignore[arg-type]


def test_a_generated_shop_is_the_same_for_the_same_state_of_chance(
    shop: GeneratedShop, tmp_path: Path
) -> None:
    again = generate_shop(tmp_path, np.random.default_rng(3), 200, shape=SMALL)

    assert again.events.read_bytes() == shop.events.read_bytes()
    assert again.catalog.read_bytes() == shop.catalog.read_bytes()


def test_a_generated_shop_is_of_the_size_that_was_studied(tmp_path: Path) -> None:
    made = generate_shop(tmp_path, np.random.default_rng(1), 2_000)

    events = pq.read_table(made.events)
    early = events.filter(pc.less(events["time"], CUTOFF.replace(tzinfo=None)))
    distinct = early.group_by(["shopper_id", "item_id"]).aggregate([])
    shoppers = len(set(early["shopper_id"].to_pylist()))
    assert 13 < distinct.num_rows / shoppers < 18
    assert distinct.num_rows < early.num_rows  # Something is taken again.
    catalog = pq.read_table(made.catalog)
    assert catalog.num_rows == SHAPE.n_items
    assert len(set(catalog["category"].to_pylist())) == SHAPE.n_categories
    visits = events.group_by(["shopper_id", "visit_id", "time"]).aggregate([])
    # One time a basket, and baskets of several items.
    assert visits.num_rows == len(
        set(zip(*(events[n].to_pylist() for n in ("shopper_id", "visit_id")), strict=True))
    )
    assert events.num_rows > 3 * visits.num_rows


def test_what_a_shopper_prefers_is_what_they_take(shop: GeneratedShop) -> None:
    likely = np.array([shop.preference(row) for row in range(shop.n_shoppers)])

    assert likely.sum(axis=1) == pytest.approx(1)
    events = pq.read_table(shop.events)
    rows = [int(one[1:]) for one in events["shopper_id"].to_pylist()]
    items = [int(one[1:]) for one in events["item_id"].to_pylist()]
    own = likely[rows, items].mean()
    others = likely[np.roll(rows, len(rows) // 2), items].mean()
    assert own > 1.3 * others
