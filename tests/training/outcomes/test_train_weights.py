"""`train` takes weights from ``outcomes`` where they win, says so, and else changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shelfrank.bundle.verify import verify_bundle
from shelfrank.ranking.ranker import Ranker
from shelfrank_training.cli.main import run
from shelfrank_training.export.folder import MODEL_JSON
from shelfrank_training.publish.build import throwaway
from support import corner_shop
from support.corner_shop import BREAD, MILK, ROWS, event, write_aggregates
from support.outcomes_table import AFFINE, aggregates, outcomes
from support.publisher import NOW

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

USED = [weight / 2 for weight in AFFINE]
"""What the graph multiplies by: the largest weight is 1."""


def trained(place: Path, table: pa.Table | None, *options: str) -> Path:
    """Run the command; return the model folder."""
    place.mkdir()
    found = corner_shop.aggregates() if table is None else aggregates(table)
    write_aggregates(place / "aggregates", found)
    columns = ("item_id", "title", "category", "brand", "price")
    lines = [",".join(str(getattr(row, name) or "") for name in columns) for row in ROWS]
    (place / "catalog.csv").write_text("\n".join([",".join(columns), *lines]), encoding="utf-8")
    files = [str(place / "aggregates"), str(place / "catalog.csv")]
    assert run(["train", *files, "--out", str(place / "model"), *options]) == 0
    return place / "model"


def weights_of(model: Path) -> dict[str, list[list[float]]]:
    found: dict[str, list[list[float]]] = json.loads((model / MODEL_JSON).read_bytes())["weights"]
    return found


def device_parts(model: Path) -> np.ndarray:
    """Return the parts of all items at a visit's start, as a device computes them."""
    data, root = throwaway(model, NOW)
    ranker = Ranker(verify_bundle(data, trust=root, now=NOW))
    history = [event(BREAD, days=3, visit=0), event(MILK, days=1, visit=1)]
    rows = np.arange(len(ROWS), dtype=np.int64)
    return ranker.scores(history, now=NOW, candidates=rows, in_visit=False).parts


def test_learned_weights_go_into_the_graph_and_the_folder_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = trained(tmp_path / "plain", None)
    assert "Weights of the parts" not in capsys.readouterr().err

    model = trained(tmp_path / "learned", outcomes(AFFINE))

    printed = capsys.readouterr().err
    assert "Weights of the parts" in printed
    assert "learned" in printed
    assert "too few outcomes" in printed
    told = weights_of(model)
    assert told["by_situation"][0] == told["by_situation"][2] == [1] * 5
    assert told["by_situation"][1] == pytest.approx(USED, abs=0.01)
    assert [decision["status"] for decision in told["decisions"]] == [  # type: ignore[call-overload]
        "too few outcomes", "learned", "too few outcomes",
    ]  # fmt: skip
    assert len(told["decisions"][1]["duels"]) == 2  # type: ignore[call-overload]
    parts = device_parts(plain) * np.array(told["by_situation"][1])
    np.testing.assert_allclose(device_parts(model), parts, atol=1e-4)


def test_a_size_limit_keeps_the_weights(tmp_path: Path) -> None:
    model = trained(tmp_path / "limited", outcomes(AFFINE), "--size-limit", "90000")

    assert weights_of(model)["by_situation"][1] == pytest.approx(USED, abs=0.01)
    usual = device_parts(trained(tmp_path / "usual", None, "--size-limit", "90000"))
    np.testing.assert_allclose(device_parts(model)[:, 0], usual[:, 0] * USED[0], atol=1e-4)


@pytest.mark.parametrize("case", ["fixed", "not better"])
def test_where_nothing_is_learned_the_graph_is_the_shipped_one(tmp_path: Path, case: str) -> None:
    plain = trained(tmp_path / "plain", None)
    if case == "fixed":
        model = trained(tmp_path / "fixed", outcomes(AFFINE), "--fixed-weights")
        decided = []
    else:
        model = trained(tmp_path / "stands", outcomes((1.0,) * 5, each=2000))
        decided = ["too few outcomes", "not better", "too few outcomes"]

    assert (model / "model.onnx").read_bytes() == (plain / "model.onnx").read_bytes()
    assert (model / "golden.json").read_bytes() == (plain / "golden.json").read_bytes()
    told = weights_of(model)
    assert told["by_situation"] == [[1] * 5] * 3
    assert [one["status"] for one in told["decisions"]] == decided  # type: ignore[call-overload]
