"""``shelfrank train``: a whole model folder or nothing, and a clear word about bad input."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from shelfrank.bundle.catalog import Catalog
from shelfrank.bundle.label import Label
from shelfrank.bundle.verify import verify_bundle
from shelfrank.ranking.ranker import Ranker
from shelfrank_training.cli.main import run
from shelfrank_training.errors import DataError, ParityError, PrivacyError
from shelfrank_training.export import converters
from shelfrank_training.export.folder import MODEL_JSON
from shelfrank_training.folders import check_out, replace_folder
from shelfrank_training.publish.build import throwaway
from shelfrank_training.publish.catalog import CatalogRow
from shelfrank_training.train import TrainSettings, train
from support.corner_shop import BAG, GIN, ROWS, aggregates, write_aggregates
from support.home import policy
from support.publisher import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = [
    "catalog.bin", "golden.json", "items.parquet", "label.json", "model.json", "model.onnx",
    "provenance.json",
]  # fmt: skip

HEAD = "item_id,title,category,brand,price\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with aggregates and the catalog they were made with."""
    write_aggregates(tmp_path / "aggregates", aggregates())
    columns = ("item_id", "title", "category", "brand", "price")
    lines = [",".join(str(getattr(row, name) or "") for name in columns) + "\n" for row in ROWS]
    (tmp_path / "catalog.csv").write_text(HEAD + "".join(lines), encoding="utf-8")
    return tmp_path


def command(place: Path, *options: str, catalog: str = "catalog.csv") -> int:
    out = ["--out", str(place / "model")]
    return run(["train", str(place / "aggregates"), str(place / catalog), *out, *options])


def test_a_run_writes_a_folder_that_becomes_a_bundle_a_device_ranks_with(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(place) == 0

    printed = capsys.readouterr()
    assert printed.out == ""
    assert "items" in printed.err
    assert "bundle, at most" in printed.err
    assert sorted(path.name for path in (place / "model").iterdir()) == FILES
    data, root = throwaway(place / "model", NOW)
    bundle = verify_bundle(data, trust=root, now=NOW)
    ranked = Ranker(bundle).rank((), now=NOW, k=len(ROWS))
    assert sorted(item.item_id for item in ranked) == sorted(row.item_id for row in ROWS)
    assert bundle.catalog.title(bundle.catalog.item_ids.index(BAG)) == "Bag"  # type: ignore[arg-type]


def test_the_folder_says_what_was_done(place: Path) -> None:
    assert command(place) == 0

    model = json.loads((place / "model" / MODEL_JSON).read_bytes())
    assert model["parts"] == ["popularity", "next", "affinity", "category", "repeat"]
    assert (model["n_items"], model["n_categories"]) == (14, 6)
    assert (model["min_shoppers"], model["max_items"]) == (20, 100)
    assert model["holdout"] == {"share": 0.0, "salt": aggregates().info.holdout.salt}
    assert model["parity"]["difference"] <= model["tolerance"] == 1e-4
    label = Label.parse((place / "model" / "label.json").read_bytes())
    assert (label.min_shoppers, label.unprotected, label.has_categories) == (20, False, True)
    items = pq.read_table(place / "model" / "items.parquet")
    assert items.equals(aggregates().table("items"))


def test_the_same_input_gives_the_same_files(place: Path) -> None:
    assert command(place) == 0
    first = {path.name: path.read_bytes() for path in (place / "model").iterdir()}

    assert command(place, "--force") == 0

    assert {path.name: path.read_bytes() for path in (place / "model").iterdir()} == first


def test_a_label_warns_of_what_is_missing(tmp_path: Path) -> None:
    rows = [CatalogRow(item_id=row.item_id) for row in ROWS]
    found = aggregates(rows, min_shoppers=5, unprotected=True)
    write_aggregates(tmp_path / "aggregates", found)
    (tmp_path / "catalog.csv").write_text("item_id\n" + "".join(f"{row.item_id}\n" for row in rows))

    assert command(tmp_path) == 0

    label = json.loads((tmp_path / "model" / "label.json").read_bytes())
    privacy = label["privacy"]
    assert (privacy["unprotected"], privacy["min_shoppers"], privacy["model"]) == (True, 5, "none")
    assert not label["excluded"]["has_categories"]
    assert [(warning["level"], warning["code"]) for warning in label["warnings"]] == [
        ("red", "unprotected"),
        ("red", "no_categories"),
        ("amber", "no_differential_privacy"),
    ]


# --- Policy ---


def write_policy(place: Path, data: bytes) -> str:
    (place / "policy.toml").write_bytes(data)
    return str(place / "policy.toml")


def test_a_policy_travels_as_it_was_written(place: Path) -> None:
    (place / "catalog.csv").write_text(without(place, *SENSITIVE))
    assert command(place, "--policy", write_policy(place, policy())) == 0

    assert (place / "model" / "policy.toml").read_bytes() == policy()
    catalog = Catalog.parse((place / "model" / "catalog.bin").read_bytes())
    assert not set(SENSITIVE) & set(catalog.item_ids)


# Spirits by the policy; bag and voucher because without a category they cannot be shown not to be.
SENSITIVE = (GIN, BAG, "sku-23")


def without(place: Path, *item_ids: str) -> str:
    lines = (place / "catalog.csv").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if line.partition(",")[0] not in item_ids)


def test_a_sensitive_item_with_published_numbers_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(place, "--policy", write_policy(place, policy())) == 1

    assert "3 items with published numbers are sensitive, wanted none" in capsys.readouterr().err
    assert not (place / "model").exists()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"max_epsilon": 3}, "promises no epsilon, the policy wants at most 3"),
        ({"must_exclude": ["spirits"]}, "wants spirits left out, the bundle's label names no"),
    ],
)
def test_a_policy_that_asks_for_more_than_the_label_can_say_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], asked: dict[str, object], words: str
) -> None:
    (place / "catalog.csv").write_text(without(place, *SENSITIVE))

    assert command(place, "--policy", write_policy(place, policy(asked=asked))) == 1

    assert words in " ".join(capsys.readouterr().err.split())
    assert not (place / "model").exists()


def test_a_policy_that_asks_for_more_shoppers_is_refused(place: Path) -> None:
    (place / "catalog.csv").write_text(without(place, *SENSITIVE))
    path = place / "policy.toml"
    path.write_bytes(policy(min_shoppers=21))

    with pytest.raises(PrivacyError, match="at least 20 shoppers a number, the policy wants 21"):
        train(
            place / "aggregates",
            place / "catalog.csv",
            place / "model",
            settings=TrainSettings(policy=path),
        )

    assert not (place / "model").exists()


# --- Bad input ---


@pytest.mark.parametrize(
    ("catalog", "message"),
    [
        ("title\nBread\n", "item_id"),
        ("item_id,phone\n00042,1\n", "phone"),
        ("item_id\n42\n", "none of the 14 items with published numbers is in the catalog"),
        ("item_id,title\n00042,a\n00042,b\n", "line 2: item_id is in the catalog more than once"),
    ],
    ids=["no-id", "unknown-column", "other-ids", "twice"],
)
def test_a_bad_catalog_is_a_clear_error_and_nothing_is_written(
    place: Path, capsys: pytest.CaptureFixture[str], catalog: str, message: str
) -> None:
    (place / "catalog.csv").write_text(catalog)

    assert command(place) == 1

    said = capsys.readouterr().err
    assert "\nerror: " in said
    assert message in " ".join(said.split())
    assert sorted(path.name for path in place.iterdir()) == ["aggregates", "catalog.csv"]


def test_items_that_the_catalog_does_not_list_are_left_out_and_counted(place: Path) -> None:
    (place / "catalog.csv").write_text(without(place, GIN))

    trained = train(place / "aggregates", place / "catalog.csv", place / "model")

    assert (trained.n_items, trained.n_unlisted) == (13, 1)
    assert pq.read_table(place / "model" / "items.parquet").num_rows == 14


@pytest.mark.parametrize("damage", ["missing", "changed", "no-folder"])
def test_damaged_aggregates_are_a_clear_error_and_nothing_is_written(
    place: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    pairs = place / "aggregates" / "pairs.parquet"
    if damage == "missing":
        pairs.unlink()
    elif damage == "changed":
        pairs.write_bytes(pairs.read_bytes() + b"\0")
    else:
        (place / "aggregates" / "aggregates.json").unlink()

    assert command(place) == 1

    assert "\nerror: " in capsys.readouterr().err
    assert not (place / "model").exists()


def test_a_graph_that_disagrees_is_not_written(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(converters, "RANK_DECAY", 3.0)

    assert command(place) == 1

    assert "graph and estimators differ by" in capsys.readouterr().err
    with pytest.raises(ParityError):
        train(place / "aggregates", place / "catalog.csv", place / "model")
    assert sorted(path.name for path in place.iterdir()) == ["aggregates", "catalog.csv"]


def test_wrong_use_exits_2(place: Path) -> None:
    assert run(["train"]) == 2
    assert run(["train", str(place / "aggregates"), str(place / "catalog.csv")]) == 2
    assert command(place, "--column", "title") == 2
    assert not (place / "model").exists()


def test_columns_of_another_name_are_mapped_and_others_dropped(place: Path) -> None:
    text = (place / "catalog.csv").read_text()
    text = text.replace("item_id,title", "sku,title").replace("brand", "maker", 1)
    (place / "catalog.csv").write_text(text)

    assert command(place, "--column", "item_id=sku", "--drop", "maker") == 0

    catalog = Catalog.parse((place / "model" / "catalog.bin").read_bytes())
    assert catalog.n_items == 14
    assert all(catalog.brand(row) is None for row in range(14))  # type: ignore[arg-type]


# --- Folders ---


def test_an_older_model_is_replaced_only_when_told(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(place) == 0
    before = (place / "model" / MODEL_JSON).read_bytes()

    assert command(place) == 1

    assert "exists already" in capsys.readouterr().err
    assert (place / "model" / MODEL_JSON).read_bytes() == before


def test_a_folder_of_something_else_is_never_replaced(place: Path) -> None:
    (place / "model").mkdir()
    (place / "model" / "photo.jpg").write_bytes(b"mine")

    assert command(place, "--force") == 1

    assert [path.name for path in (place / "model").iterdir()] == ["photo.jpg"]


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "model"
    replace_folder(out, {"model.json": b"1"}.items())
    replace_folder(out, {"model.json": b"2", "more": b"3"}.items())
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        "model.json": b"2",
        "more": b"3",
    }

    def breaks_half_way() -> Iterator[tuple[str, bytes]]:
        yield "model.json", b"4"
        raise ParityError("a mistake", difference=1.0, tolerance=0.5)

    with pytest.raises(ParityError):
        replace_folder(out, breaks_half_way())

    assert (out / "model.json").read_bytes() == b"2"
    assert [path.name for path in out.parent.iterdir()] == ["model"]


def test_a_target_is_checked_before_any_work(tmp_path: Path) -> None:
    check_out(tmp_path / "new", marker="m", what="model", overwrite=False)
    (tmp_path / "m").touch()
    check_out(tmp_path, marker="m", what="model", overwrite=True)
    with pytest.raises(DataError, match="exists already"):
        check_out(tmp_path, marker="m", what="model", overwrite=False)
    with pytest.raises(DataError, match="holds no model"):
        check_out(tmp_path, marker="other", what="model", overwrite=True)


def test_the_target_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()

    with pytest.raises(DataError, match="exists already"):
        train(tmp_path / "no-aggregates", tmp_path / "no-catalog", tmp_path / "model")
