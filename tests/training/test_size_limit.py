"""``shelfrank train --size-limit``: the bundle is no larger, and says what went."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from shelfrank.bundle.catalog import Catalog
from shelfrank.bundle.verify import verify_bundle
from shelfrank.ranking.ranker import Ranker
from shelfrank_training import limit
from shelfrank_training.cli.main import run
from shelfrank_training.errors import DataError, PublishError
from shelfrank_training.evaluate.bootstrap import Estimate
from shelfrank_training.evaluate.folder import read_universe
from shelfrank_training.evaluate.results import IN_SLICES
from shelfrank_training.evaluate.slices import BANDS, BUCKETS, CUTS
from shelfrank_training.evaluate.tally import SCOPES
from shelfrank_training.limit import REST_BYTES, SLICES_BYTES, bundle_bytes
from shelfrank_training.publish.build import build_bundle, throwaway
from shelfrank_training.publish.card import Measured, MeasuredSlice, ModelCard
from shelfrank_training.publish.catalog import CatalogRow
from shelfrank_training.train import TrainSettings, train
from support.corner_shop import TRUST, aggregates, write_aggregates
from support.publisher import NOW, YEAR

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank_training.aggregates.folder import Aggregates
    from shelfrank_training.evaluate.slices import Cut
    from shelfrank_training.evaluate.tally import Scope
    from shelfrank_training.train import Trained

N_ITEMS = 90


@cache
def shop() -> tuple[tuple[CatalogRow, ...], Aggregates]:
    rows = tuple(
        CatalogRow(item_id=f"{n:03}", title=f"Item {n * n * 7919}", category=f"Part/{n % 7}")
        for n in range(N_ITEMS)
    )
    return rows, aggregates(rows)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    rows, found = shop()
    write_aggregates(tmp_path / "aggregates", found)
    lines = [f"{row.item_id},{row.title},{row.category}\n" for row in rows]
    (tmp_path / "catalog.csv").write_text("item_id,title,category\n" + "".join(lines))
    return tmp_path


def trained(place: Path, size_limit: int | None) -> Trained:
    settings = TrainSettings(size_limit=size_limit, overwrite=True)
    return train(place / "aggregates", place / "catalog.csv", place / "model", settings=settings)


def n_pairs(made: Trained) -> int:
    return sum(
        table.target.size
        for part in made.blend.parts_
        for table in vars(part).values()
        if hasattr(table, "spread")
    )


def test_a_bundle_keeps_its_limit_and_uses_it(place: Path) -> None:
    pairs = []
    for most in (62_000, 58_000):
        made = trained(place, most)
        data, trust = throwaway(place / "model", NOW)
        assert len(data) <= bundle_bytes(made.files) <= most
        assert bundle_bytes(made.files) >= most - 5_000
        bundle = verify_bundle(data, trust=trust, now=NOW)
        assert len(Ranker(bundle).rank((), now=NOW, k=N_ITEMS)) == N_ITEMS
        pairs.append(n_pairs(made))

    assert pairs[0] > pairs[1] > 0


def test_what_the_smallest_model_did_not_show_is_learned_by_another_look(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that it left out has nodes of its own."""
    rest = limit._rest
    monkeypatch.setattr(limit, "_rest", lambda made: rest(made) - 3_000)

    assert bundle_bytes(trained(place, 60_000).files) <= 60_000


def test_what_a_bundle_adds_to_a_model_folder_has_room(place: Path) -> None:
    made = trained(place, 80_000)

    longest = build_bundle(
        place / "model",
        name="n" * 63,
        version=2**53 - 1,
        issued_at=NOW,
        expires=NOW + YEAR,
        root=TRUST,
    )

    assert len(longest) + 10 * 1024 <= bundle_bytes(made.files)
    assert bundle_bytes({"items.parquet": b"stays at home"}) == REST_BYTES


def test_slices_of_a_card_have_the_room_that_is_said() -> None:
    figure = Estimate(value=-0.123456, low=-0.123456, high=-0.123456)
    rows = dict.fromkeys(IN_SLICES, figure)
    models = ("shelfrank", "popularity", "personal_frequency")
    names: dict[Cut, list[str]] = {
        "history": [bucket.name for bucket in BUCKETS],
        "popularity": list(BANDS),
    }

    def card(names: dict[Cut, list[str]]) -> int:
        slices: dict[Cut, dict[Scope, tuple[MeasuredSlice, ...]]] = {
            cut: {
                scope: tuple(
                    MeasuredSlice(
                        name=name,
                        shoppers=None,
                        metrics=dict.fromkeys(models, rows),
                        paired=dict.fromkeys(models[1:], rows),
                    )
                    for name in names[cut]
                )
                for scope in SCOPES
            }
            for cut in CUTS
        }
        measured = Measured(
            files={},
            protocol="next",
            cutoff=NOW,
            trained_until=NOW,
            shoppers=60,
            new_shoppers=None,
            n_items=N_ITEMS,
            n_items_not_in_bundle=0,
            holdout_share=0.2,
            min_shoppers=20,
            resamples=1000,
            metrics={},
            paired={},
            slices=slices,
        )
        return len(ModelCard(measured).dump())

    most = card(names) - card({cut: [] for cut in CUTS})
    assert SLICES_BYTES - 4 * 1024 <= most <= SLICES_BYTES


def test_items_go_last_and_the_least_popular_first(place: Path) -> None:
    made = trained(place, 53_000)

    assert 0 < made.n_over_limit == N_ITEMS - made.n_items
    kept = set(Catalog.parse((place / "model" / "catalog.bin").read_bytes()).item_ids)
    items = shop()[1].table("items").to_pylist()
    shoppers = {row["item_id"]: row["shoppers"] for row in items}
    gone = set(shoppers) - kept
    assert max(shoppers[item] for item in gone) <= min(shoppers[item] for item in kept)
    # They stay in what is asked for, as misses.
    assert read_universe(place / "model").n_items == N_ITEMS
    assert pq.read_table(place / "model" / "items.parquet").num_rows == N_ITEMS
    assert len(throwaway(place / "model", NOW)[0]) <= 53_000


@pytest.mark.parametrize("most", [1, 30_000])
def test_a_limit_that_cannot_be_met_is_refused_and_nothing_is_written(
    place: Path, most: int
) -> None:
    with pytest.raises(DataError, match=f"cannot be made in {most:,} bytes: with one item it"):
        trained(place, most)

    assert not (place / "model").exists()


def test_what_a_refusal_says_it_takes_is_what_it_takes(place: Path) -> None:
    with pytest.raises(DataError) as caught:
        trained(place, 1)

    said = [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", str(caught.value))]
    _, one, n_items, every = said
    assert n_items == N_ITEMS
    assert trained(place, one).n_items == 1
    assert trained(place, every).n_items == N_ITEMS
    assert 1 < trained(place, every - 1).n_items < N_ITEMS
    with pytest.raises(DataError, match=f"in {one - 1:,} bytes: with one item .* {one:,},"):
        trained(place, one - 1)


def test_a_limit_a_little_too_small_for_every_item_costs_few_of_them(place: Path) -> None:
    """What is stored whatever the items does not count as theirs."""
    assert trained(place, 53_000).n_items > N_ITEMS / 2


def test_without_a_limit_every_source_keeps_its_strongest(place: Path) -> None:
    without = trained(place, None)

    assert without.n_over_limit == 0
    assert n_pairs(without) > n_pairs(trained(place, 60_000))
    assert n_pairs(without) == n_pairs(trained(place, 1_000_000))


def test_a_bundle_that_grew_beyond_its_limit_is_not_built(place: Path) -> None:
    trained(place, 80_000)
    golden = place / "model" / "golden.json"
    golden.write_bytes(golden.read_bytes() + b" " * 30_000)

    with pytest.raises(PublishError, match=r"bundle would have .* bytes, the model was made for"):
        throwaway(place / "model", NOW)


# --- The command ---


def command(place: Path, *options: str) -> int:
    out = ["--out", str(place / "model")]
    return run(["train", str(place / "aggregates"), str(place / "catalog.csv"), *out, *options])


def test_the_command_says_what_each_part_takes(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(place, "--size-limit", "80kB") == 0

    said = capsys.readouterr().err
    for name in ("part next", "part affinity", "nodes of the graph", "catalog.bin", "at most"):
        assert name in said
    size = json.loads((place / "model" / "model.json").read_bytes())["size"]
    assert size["limit"] == 80_000
    assert size["catalog"] == (place / "model" / "catalog.bin").stat().st_size
    parts = sum(size["parts"].values())
    assert size["graph"] + parts == (place / "model" / "model.onnx").stat().st_size
    assert f"{size['parts']['next']:,}" in said
    # `bundle build` leaves slices out where they would break the limit.
    assert said_most(said) == 80_000
    assert command(place, "--force") == 0
    said = capsys.readouterr().err
    folder = {file.name: file.read_bytes() for file in (place / "model").iterdir()}
    assert said_most(said) == bundle_bytes(folder) + SLICES_BYTES


def said_most(said: str) -> int:
    found = re.search(r"bundle, at most +│ +([\d,]+)", said)
    assert found is not None
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize(
    ("size", "n_bytes"),
    [
        ("80000", 80_000),
        ("80kB", 80_000),
        ("0.08 MB", 80_000),
        ("100KiB", 102_400),
        ("1MiB", 1 << 20),
    ],
)
def test_a_size_may_have_a_unit(place: Path, size: str, n_bytes: int) -> None:
    assert command(place, "--size-limit", size) == 0

    assert json.loads((place / "model" / "model.json").read_bytes())["size"]["limit"] == n_bytes


@pytest.mark.parametrize("size", ["small", "-5", "0", "1.8GBs", "1,8MB", "1.8", ""])
def test_what_is_no_size_is_wrong_use(
    place: Path, capsys: pytest.CaptureFixture[str], size: str
) -> None:
    assert command(place, "--size-limit", size) == 2

    assert "is not a size such as" in capsys.readouterr().err
    assert not (place / "model").exists()


def test_a_limit_too_small_exits_1_and_says_what_to_do(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(place, "--size-limit", "20kB") == 1

    assert "raise --size-limit" in capsys.readouterr().err
