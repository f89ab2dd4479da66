"""``shelfrank evaluate``: figures on stdout or in files, the rest on stderr, 0 or 1."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shelfrank_training.cli.main import run
from shelfrank_training.evaluate import run as measuring
from shelfrank_training.evaluate.run import weaknesses
from shelfrank_training.evaluate.shipped import open_shipped
from shelfrank_training.events import Holdout
from shelfrank_training.standing import from_aggregates, stands_on
from support.measuring import CUTOFF, PROVENANCE, write_measurable_folder
from support.shopper import policy_data, to_toml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from shelfrank_training.evaluate.protocol import Universe
    from shelfrank_training.evaluate.shipped import Shipped

N_SHOPPERS = 12
ITEMS = ("00042", "7", "sku-17")
METRICS = ("recall@10", "recall@20", "ndcg@10", "ndcg@20", "coverage@20")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_measurable_folder(tmp_path / "model")


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Everyone buys one item before and two after the cutoff; some of it is not in the universe."""
    rows = [
        (f"s{at}", item, CUTOFF + timedelta(days=day))
        for at in range(N_SHOPPERS)
        for item, day in (
            (ITEMS[at % 3], -2),
            (ITEMS[at % 3], 1),
            (ITEMS[(at + 1) % 3], 2),
            ("elsewhere", 3),
        )
    ]
    names = ("shopper_id", "item_id", "time")
    table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    pq.write_table(table, tmp_path / "events.parquet")
    return tmp_path / "events.parquet"


def arguments(model: Path, events: Path, *more: str) -> Sequence[str]:
    return ["evaluate", str(model), str(events), "--cutoff", "2017-12-01", *more]


def test_the_json_on_stdout_is_what_the_design_promises(
    model: Path, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(model, events, "--json", "-")) == 0

    out = json.loads(capsys.readouterr().out)
    assert (out["shoppers"], out["protocol"]) == (N_SHOPPERS, "future")
    assert out["cutoff"] == "2017-12-01T00:00:00Z"
    assert list(out["metrics"]) == ["shelfrank", "popularity", "personal_frequency"]
    assert list(out["paired"]) == ["popularity", "personal_frequency"]
    for model_figures in (*out["metrics"].values(), *out["paired"].values()):
        for scope in ("all", "new"):
            assert tuple(model_figures[scope]) == METRICS
            for figure in model_figures[scope].values():
                assert figure["low"] <= figure["value"] + 1e-12
                assert figure["value"] <= figure["high"] + 1e-12
    assert out["targets"] == {"all": 2 * N_SHOPPERS, "new": N_SHOPPERS, "outside": N_SHOPPERS}
    assert out["universe"] == {"items": 4, "not_in_bundle": 1}
    assert (out["min_shoppers"], out["max_items"]) == (50, 100)
    assert out["from_aggregates"] is True
    assert out["stands_on"] == "from aggregates: every statistic covers at least 50 shoppers"
    model_file = (model / "model.onnx").read_bytes()
    assert out["measured"]["model.onnx"] == hashlib.sha256(model_file).hexdigest()
    assert set(out["measured"]) == {"model.onnx", "catalog.bin"}
    # The bundle holds all three, so the model recalls both targets though `gone` is more popular.
    assert out["metrics"]["shelfrank"]["all"]["recall@10"]["value"] == 1


def test_tables_go_to_stderr_and_say_under_which_bounds(
    model: Path, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(model, events)) == 0

    told = capsys.readouterr()
    assert told.out == ""
    # Figures, differences and two cuts, for `all` and for `new`.
    assert told.err.count("min_shoppers 50 · max_items 100") == 8
    assert "every shopper of the events" in told.err


FEW = "research figure, as a statistic may stand for as few as"
STANDS_ON = {
    1: f"not from aggregates: unprotected {FEW} 1 shopper, and only 20 and above count",
    19: f"not from aggregates: {FEW} 19 shoppers, and only 20 and above count",
    20: "from aggregates: every statistic covers at least 20 shoppers",
}


@pytest.mark.parametrize(("k", "words"), STANDS_ON.items())
def test_a_figure_says_in_words_what_it_stands_on(k: int, words: str) -> None:
    assert stands_on(k) == words
    assert from_aggregates(k) is (k >= 20)
    told = [line.lower() for line in weaknesses(replace(PROVENANCE, min_shoppers=k), CUTOFF)]
    assert told == ([] if k >= 20 else [f"{words}."])


def test_the_json_cuts_the_figures_by_history_and_by_popularity(
    model: Path, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(model, events, "--json", "-")) == 0

    out = json.loads(capsys.readouterr().out)
    # Everyone has one item in the history; targets are the two or three below `gone`.
    assert [one["name"] for one in out["slices"]["history"]["all"]] == ["1-2"]
    one = out["slices"]["history"]["all"][0]
    assert (one["shoppers"], one["trials"], one["targets"]) == (12, 12, 24)
    assert one["metrics"]["shelfrank"]["ndcg@20"] == out["metrics"]["shelfrank"]["all"]["ndcg@20"]
    assert (
        one["paired"]["popularity"]["recall@20"]
        == (out["paired"]["popularity"]["all"]["recall@20"])
    )
    bands = out["slices"]["popularity"]["all"]
    assert sum(band["targets"] for band in bands) == 24
    curve = out["recall_by_k"]["shelfrank"]["all"]
    assert len(curve) == 20
    assert curve[9] == out["metrics"]["shelfrank"]["all"]["recall@10"]
    assert curve[19] == out["metrics"]["shelfrank"]["all"]["recall@20"]


def test_next_adds_the_reciprocal_rank(
    model: Path, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(model, events, "--protocol", "next", "--json", "-")) == 0

    out = json.loads(capsys.readouterr().out)
    assert "mrr@20" in out["metrics"]["shelfrank"]["all"]
    assert out["trials"]["all"] == 2 * N_SHOPPERS


def test_files_are_written_where_asked(model: Path, events: Path, tmp_path: Path) -> None:
    json_file, report = tmp_path / "figures.json", tmp_path / "report.html"

    assert run(arguments(model, events, "--json", str(json_file), "--report", str(report))) == 0

    assert json.loads(json_file.read_text())["shoppers"] == N_SHOPPERS
    assert "<svg" in report.read_text(encoding="utf-8")


def test_only_shoppers_kept_out_of_training_are_measured(
    events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_measurable_folder(tmp_path / "model", holdout=0.5)

    assert run(arguments(model, events, "--json", "-")) == 0

    holdout = Holdout(share=0.5, salt="s")
    kept = sum(holdout.contains(f"s{at}") for at in range(N_SHOPPERS))
    told = capsys.readouterr()
    assert 0 < kept < N_SHOPPERS
    assert json.loads(told.out)["shoppers"] == kept
    assert "every shopper of the events" not in told.err


def test_columns_are_mapped_and_dropped_by_name(
    model: Path, events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pq.read_table(events).rename_columns(["household", "item_id", "time"])
    pq.write_table(
        table.append_column("store", table["item_id"]), renamed := tmp_path / "other.parquet"
    )
    columns = ("--column", "shopper_id=household", "--drop", "store")

    assert run(arguments(model, renamed)) == 1
    assert run(arguments(model, renamed, *columns, "--json", "-")) == 0

    assert json.loads(capsys.readouterr().out)["shoppers"] == N_SHOPPERS


def test_a_model_whose_training_saw_past_the_cutoff_is_told(
    model: Path, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", str(model), str(events), "--cutoff", "2017-11-30T12:00"]) == 0

    assert "past the cutoff 2017-11-30" in capsys.readouterr().err


def test_a_policy_that_excludes_everything_leaves_the_shoppers_but_no_history(
    events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = policy_data()
    data["sensitive"] = {"mode": "exclude", "categories": ["bakery", "dairy"]}
    model = write_measurable_folder(tmp_path / "model", policy=to_toml(data))

    assert run(arguments(model, events, "--json", "-")) == 0

    out = json.loads(capsys.readouterr().out)
    assert out["shoppers"] == N_SHOPPERS
    assert out["targets"]["new"] == out["targets"]["all"]


BAD: dict[str, tuple[Sequence[str], str]] = {
    "no model folder": (["evaluate", "nowhere", "EVENTS", "--cutoff", "2017-12-01"], "model.json"),
    "no events file": (["evaluate", "MODEL", "nowhere.csv", "--cutoff", "2017-12-01"], "nowhere"),
    "unreadable cutoff": (["evaluate", "MODEL", "EVENTS", "--cutoff", "soon"], "'soon' is no time"),
    "nobody after": (["evaluate", "MODEL", "EVENTS", "--cutoff", "2019-01-01"], "no shopper is"),
    "nobody before": (["evaluate", "MODEL", "EVENTS", "--cutoff", "2011-01-01"], "no shopper is"),
    "no such column": (
        ["evaluate", "MODEL", "EVENTS", "--cutoff", "2017-12-01", "--drop", "x"],
        "no column x",
    ),
}


@pytest.mark.parametrize(("call", "told"), BAD.values(), ids=BAD)
def test_bad_input_is_a_clear_error_and_nothing_is_written(
    call: Sequence[str],
    told: str,
    model: Path,
    events: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(tmp_path.rglob("*"))
    places = {"MODEL": str(model), "EVENTS": str(events), "nowhere": str(tmp_path / "nowhere")}
    written = ["--json", str(tmp_path / "f.json"), "--report", str(tmp_path / "r.html")]

    assert run([*(places.get(word, word) for word in call), *written]) == 1

    told_to = capsys.readouterr()
    assert told_to.out == ""
    assert "error:" in told_to.err
    assert told in told_to.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("damage", ["model.json", "items.parquet", "catalog.bin", "model.onnx"])
def test_a_model_folder_without_one_of_its_files_is_refused(
    damage: str, model: Path, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / damage).unlink()

    assert run(arguments(model, events)) == 1

    assert damage in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"{}", b"[]", b"\xff", b'{"holdout": {"share": 2}}'])
def test_a_model_json_that_train_did_not_write_is_refused(
    content: bytes, model: Path, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "model.json").write_bytes(content)

    assert run(arguments(model, events)) == 1

    assert "model.json is not what train writes" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"PAR1", b"x" * 100])
def test_an_items_table_that_is_none_is_refused(
    content: bytes, model: Path, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "items.parquet").write_bytes(content)

    assert run(arguments(model, events)) == 1

    assert "items.parquet" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told_before_the_long_run(
    model: Path, events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(model, events, "--report", str(tmp_path / "no" / "r.html"))) == 1

    told = capsys.readouterr().err
    assert "there is no folder" in told
    assert "open the model" not in told


def test_a_missing_cutoff_is_wrong_use(model: Path, events: Path) -> None:
    assert run(["evaluate", str(model), str(events)]) == 2


@pytest.mark.parametrize(("protocol", "zone"), [("next", "Asia/Kolkata"), ("future", None)])
def test_only_what_is_asked_event_by_event_is_asked_at_its_time_of_day(
    model: Path, events: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, zone: str | None
) -> None:
    described = json.loads((model / "model.json").read_bytes())
    (model / "model.json").write_text(json.dumps(described | {"zone": "Asia/Kolkata"}))
    seen: list[str | None] = []

    def opened(
        folder: Path, universe: Universe, *, now: datetime, zone: ZoneInfo | None
    ) -> Shipped:
        seen.append(None if zone is None else zone.key)
        return open_shipped(folder, universe, now=now, zone=zone)

    monkeypatch.setattr(measuring, "open_shipped", opened)

    assert run(arguments(model, events, "--protocol", protocol)) == 0
    assert seen == [zone]


def test_a_model_of_a_zone_that_this_machine_does_not_know_is_not_measured(
    model: Path, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    described = json.loads((model / "model.json").read_bytes())
    (model / "model.json").write_text(json.dumps(described | {"zone": "Mars/Olympus"}))

    assert run(arguments(model, events)) == 1
    assert "no time zone 'Mars/Olympus'" in capsys.readouterr().err
