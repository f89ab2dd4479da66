"""The table ``outcomes``, from rows to a file: exact, apart from all other tables, thresholded."""

from __future__ import annotations

import runpy
import tempfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shelfrank.consent.policy import Policy
from shelfrank_training.aggregates import Aggregates, AggregateSettings, aggregate, read_aggregates
from shelfrank_training.aggregates.folder import KEYS
from shelfrank_training.aggregates.noise import OPENDP
from shelfrank_training.cli.main import run
from shelfrank_training.events import Holdout, open_engine
from shelfrank_training.events.engine import keep
from shelfrank_training.outcomes import PARTS, make_outcomes, values_of
from shelfrank_training.outcomes import maker as maker_module
from shelfrank_training.outcomes.maker import choose_shoppers
from shelfrank_training.outcomes.scorer import Scorer
from shelfrank_training.progress import Silent
from support import corner_shop
from support.examples import EXAMPLES
from support.outcomes_oracle import expected
from support.outcomes_shop import SALT, catalog, random_shopper, table_of
from support.shop import Line, policy, rows_of, write_catalog, write_events, write_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ibis.expr.types import Table

    from shelfrank_training.aggregates.noise import NoiseSource
    from shelfrank_training.aggregates.publication import Published
    from shelfrank_training.evaluate.histories import SourceEvent
    from shelfrank_training.events import CatalogTable
    from shelfrank_training.progress import Progress

SETTINGS = AggregateSettings(
    min_shoppers=3, unprotected=True, outcomes=Holdout(share=0.5, salt=SALT)
)
Shoppers = dict[str, list["SourceEvent"]]


def make(
    shoppers: Shoppers, settings: AggregateSettings = SETTINGS, *, seed: int = 0
) -> list[tuple[int, ...]]:
    """Make the table of these shoppers by the corner shop's model."""
    with open_engine() as engine:
        events = keep(engine, table_of(shoppers, np.random.default_rng(seed)))
        made = make_outcomes(
            corner_shop.aggregates(), catalog(), events, settings, OPENDP, Silent()
        )
    return [tuple(row.values()) for row in made.rows.to_pylist()]


@pytest.mark.slow
@pytest.mark.parametrize("visit_ids", [False, True])
def test_the_table_is_what_obvious_python_counts(visit_ids: bool) -> None:
    rng = np.random.default_rng(8)
    shoppers = {
        f"s|{number}": random_shopper(rng, int(rng.integers(1, 80)), visit_ids=visit_ids)
        for number in range(25)
    }
    scorer = Scorer.fit(corner_shop.aggregates(), catalog(), policy=None, salt=SALT)

    found, found_again = make(shoppers, seed=1), make(shoppers, seed=2)

    assert found == expected(shoppers, scorer.ranker, salt=SALT, k=3)
    assert found == found_again, "the order of the rows means nothing"
    assert len(found) > 30
    assert {row[0] for row in found} == {0, 1}, "both halves"
    assert {row[1] for row in found} == {1, 2}


def test_no_row_stands_for_fewer_shoppers_than_promised() -> None:
    rng = np.random.default_rng(9)
    shoppers = {f"s{number}": random_shopper(rng, 40) for number in range(25)}

    few, many = make(shoppers), make(shoppers, replace(SETTINGS, min_shoppers=12))

    assert {row for row in few if row[7] >= 12} == set(many)
    assert 0 < len(many) < len(few)


@pytest.mark.parametrize("case", ["no items", "no purpose to rank"])
def test_where_nothing_can_be_learned_the_table_is_empty(case: str) -> None:
    found = corner_shop.aggregates()
    settings = SETTINGS
    if case == "no items":
        tables = {name: found.table(name) for name in KEYS}
        found = Aggregates(found.info, tables | {"items": tables["items"].slice(0, 0)})
    else:
        settings = replace(SETTINGS, policy=policy())
    shoppers = {"s": random_shopper(np.random.default_rng(1), 30)}

    with open_engine() as engine:
        events = keep(engine, table_of(shoppers, np.random.default_rng(0)))
        made = make_outcomes(found, catalog(), events, settings, OPENDP, Silent())

    assert (made.rows.num_rows, made.n_counted) == (0, 0)


def test_of_a_large_part_a_share_is_scored_that_depends_on_nobody_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(maker_module, "MAX_SHOPPERS", 100)
    ids = [f"s{number}" for number in range(1000)]
    part_b = Holdout(share=0.2, salt=SALT)

    def scored(of: Sequence[str], n_others: int) -> set[str]:
        with open_engine() as engine:
            events = ibis.memtable(pa.table({"shopper_id": list(of)}))
            chosen = choose_shoppers(events, part_b, n_others=n_others)
            return set(engine.to_pyarrow(chosen)["shopper_id"].to_pylist())

    assert scored(ids, 400) == set(ids), "100 are expected beside 400, so all are scored"
    tenth = scored(ids, 4000)
    assert 60 < len(tenth) < 140  # 100 ± 9.5
    assert scored(ids[:500], 4000) == tenth & set(ids[:500])


@dataclass
class Spy:
    """A maker that looks at what it is given, and gives back nothing or an error."""

    fails: type[BaseException] | None = None

    def __call__(
        self,
        found: Aggregates,
        catalog: CatalogTable,
        events: Table,
        settings: AggregateSettings,
        source: NoiseSource,
        progress: Progress,
    ) -> Published:
        self.found = found
        self.rows = events.to_pyarrow().to_pylist()
        if self.fails is not None:
            raise self.fails("while scoring")
        return make_outcomes(found, catalog, events.limit(0), settings, source, progress)


ITEMS = {"a": "X", "b": "X", "c": "Y"}
TEN = AggregateSettings(
    min_shoppers=10,
    outcomes=Holdout(share=0.3, salt=SALT),
    holdout=Holdout(share=0.2),
    zone=ZoneInfo("UTC"),
)


def lines() -> list[Line]:
    rng = np.random.default_rng(2)
    return [
        Line(shopper=f"s{n}", item=str(item), minute=1440 * day, visit=str(day))
        for n in range(60)
        for day, item in enumerate(rng.choice(list(ITEMS), 5))
    ]


def count(
    folder: Path, rows: Sequence[Line], settings: AggregateSettings, spy: Spy | None
) -> Aggregates:
    folder.mkdir(exist_ok=True)
    return aggregate(
        write_events(folder / "events.parquet", rows),
        write_catalog(folder / "catalog.parquet", ITEMS),
        folder / "out",
        settings,
        outcomes=spy,
    )


def test_the_maker_sees_part_b_alone_in_the_range_that_part_a_gives(tmp_path: Path) -> None:
    in_b = {line.shopper for line in lines() if TEN.outcomes.contains(line.shopper)}
    held_out = {shopper for shopper in in_b if TEN.holdout.contains(shopper)}
    assert held_out < in_b
    mistyped = [Line(shopper=shopper, item="a", minute=40_000_000) for shopper in in_b]
    spy = Spy()

    count(tmp_path, [*lines(), *mistyped], TEN, spy)

    assert held_out
    assert {row["shopper_id"] for row in spy.rows} == in_b - held_out
    assert max(row["time"].day for row in spy.rows) == 5
    assert spy.found.table("items").num_rows == 3
    assert spy.found.info.outcomes == TEN.outcomes


def test_part_b_changes_no_other_table(tmp_path: Path) -> None:
    without = [line for line in lines() if not TEN.outcomes.contains(line.shopper)]
    assert 0 < len(without) < len(lines())

    whole = count(tmp_path / "whole", lines(), TEN, Spy())
    apart = count(tmp_path / "apart", without, TEN, Spy())
    no_maker = count(tmp_path / "no maker", lines(), TEN, None)

    for name in KEYS:
        first = (tmp_path / "whole" / "out" / f"{name}.parquet").read_bytes()
        for other in ("apart", "no maker"):
            assert (tmp_path / other / "out" / f"{name}.parquet").read_bytes() == first, name
    assert whole.info.shoppers == apart.info.shoppers == no_maker.info.shoppers
    assert read_aggregates(tmp_path / "no maker" / "out").table("outcomes").num_rows == 0


def test_without_a_share_no_maker_is_asked(tmp_path: Path) -> None:
    spy = Spy(fails=AssertionError)

    found = count(tmp_path, lines(), AggregateSettings(min_shoppers=10), spy)

    assert found.info.outcomes is None
    assert rows_of(found, "outcomes") == []
    assert found.info.tables["outcomes"].max_rows_per_shopper == 0


@pytest.mark.parametrize("fails", [RuntimeError, KeyboardInterrupt])
def test_a_run_that_ends_while_scoring_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: type[BaseException]
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    with pytest.raises(fails):
        count(tmp_path / "run", lines(), TEN, Spy(fails=fails))

    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == ["catalog.parquet", "events.parquet"]
    assert list((tmp_path / "temporary").iterdir()) == []


@dataclass(frozen=True)
class Kitchen:
    """The example's simulated shop, counted with two different parts B."""

    folder: Path
    first: Aggregates
    second: Aggregates


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    folder = tmp_path_factory.mktemp("kitchen")
    shop = EXAMPLES / "train_on_your_data"
    events, items = runpy.run_path(str(shop / "simulate_shop.py"))["write_shop"](folder)
    rules = Policy.parse((shop / "policy.toml").read_bytes())
    first, second = (
        aggregate(
            events,
            items,
            folder / salt,
            AggregateSettings(
                policy=rules, min_shoppers=20, outcomes=Holdout(share=0.4, salt=salt)
            ),
            outcomes=make_outcomes,
        )
        for salt in ("first", "second")
    )
    return Kitchen(folder, first, second)


def weights(outcomes: pa.Table) -> tuple[dict[str, float], float]:
    """Fit a logistic regression on cells; return its weights by part, and its intercept."""
    from sklearn.linear_model import LogisticRegression

    values, (bought, left) = values_of(outcomes), taken_and_left(outcomes)
    fitted = LogisticRegression(C=100.0, max_iter=1000).fit(
        np.concatenate([values, values]),
        np.repeat([1, 0], len(values)),
        sample_weight=np.concatenate([bought, left]),
    )
    return dict(zip(PARTS, fitted.coef_[0].tolist(), strict=True)), float(fitted.intercept_[0])


def taken_and_left(outcomes: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    bought = outcomes["bought"].to_numpy()
    return bought, outcomes["candidates"].to_numpy() - bought


def of_situation(found: Aggregates, situation: int) -> pa.Table:
    table = found.table("outcomes")
    return table.filter(pa.array(table["situation"].to_numpy() == situation))


@pytest.mark.slow
def test_weights_learned_from_cells_are_positive_where_a_part_matters(kitchen: Kitchen) -> None:
    for found in (kitchen.first, kitchen.second):
        start, _ = weights(of_situation(found, 1))
        inside, _ = weights(of_situation(found, 2))

        # In the simulated shop staples run out and tastes persist; trails matter in a visit. What
        # its few categories say, pairs of items say already, so no weight is asked of them.
        assert min(start[part] for part in ("popularity", "affinity", "repeat")) > 0.05
        assert inside["next"] > 0.05
        assert max(start["repeat"], inside["repeat"]) < 0.5, "repeat is far overweighted here"


@pytest.mark.slow
def test_weights_learned_from_some_shoppers_rank_the_cells_of_others(kitchen: Kitchen) -> None:
    from sklearn.metrics import roc_auc_score

    for situation in (1, 2):
        learned, _ = weights(of_situation(kitchen.first, situation))
        cells = of_situation(kitchen.second, situation)
        score = values_of(cells) @ np.array([learned[part] for part in PARTS])
        bought, left = taken_and_left(cells)

        area = roc_auc_score(
            np.repeat([1, 0], len(score)),
            np.concatenate([score, score]),
            sample_weight=np.concatenate([bought, left]),
        )

        assert area > 0.75


@pytest.mark.slow
def test_the_command_makes_the_table_and_says_whose_it_is(
    kitchen: Kitchen, capsys: pytest.CaptureFixture[str]
) -> None:
    out = kitchen.folder / "command"
    policy_file = EXAMPLES / "train_on_your_data" / "policy.toml"
    files = (str(kitchen.folder / "events.csv"), str(kitchen.folder / "catalog.csv"))

    asked = ("--out", str(out), "--policy", str(policy_file), "--min-shoppers", "20")
    code = run(["aggregate", *files, *asked])

    found = read_aggregates(out)
    assert code == 0
    assert found.info.outcomes == Holdout(share=0.2, salt="shelfrank-outcomes-0")
    assert found.table("outcomes").num_rows > 30
    assert found.info.shoppers < 0.9 * 600
    assert "score outcomes" in capsys.readouterr().err


def test_only_visits_that_the_file_states_are_handed_on(tmp_path: Path) -> None:
    """Without them a device finds its visits among the events it stores."""
    stated, unstated = Spy(), Spy()
    bare = pq.read_table(write_events(tmp_path / "all.parquet", lines())).drop(["visit_id"])

    count(tmp_path / "stated", lines(), TEN, stated)
    aggregate(
        write_table(tmp_path / "bare.parquet", bare),
        tmp_path / "stated" / "catalog.parquet",
        tmp_path / "out",
        TEN,
        outcomes=unstated,
    )

    assert {row["visit_id"] for row in stated.rows} == {"0", "1", "2", "3", "4"}
    assert {row["visit_id"] for row in unstated.rows} == {None}
    assert len(stated.rows) == len(unstated.rows)
