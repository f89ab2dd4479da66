"""A bundle must score here as it scored at home, before it serves anyone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shelfrank.errors import BundleFormatError, ModelMismatchError
from shelfrank.ranking.golden import MAX_CASES
from shelfrank.ranking.ranker import Ranker
from support import corner_shop

if TYPE_CHECKING:
    from collections.abc import Callable


def golden() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(corner_shop.verified().golden)
    return found


def open_with(golden_bytes: bytes) -> Ranker:
    return Ranker(replace(corner_shop.verified(), golden=golden_bytes))


def with_part_off_by(amount: float) -> bytes:
    found = golden()
    found["cases"][-1]["parts"][0][0] += amount
    return json.dumps(found).encode()


def test_the_vectors_that_were_shipped_match() -> None:
    cases = golden()["cases"]

    assert len(cases) >= 3
    assert any(case["inputs"]["event_item"] for case in cases)
    assert any(not case["inputs"]["event_item"] for case in cases)
    assert open_with(json.dumps(golden()).encode()).part_names[0] == "popularity"


@pytest.mark.parametrize("amount", [2e-4, -2e-4, 1.0, float("nan"), float("inf")])
def test_a_part_that_is_off_by_more_than_the_tolerance_is_refused(amount: float) -> None:
    with pytest.raises(ModelMismatchError, match="golden vector"):
        open_with(with_part_off_by(amount))


def test_a_part_that_is_off_by_less_is_accepted() -> None:
    open_with(with_part_off_by(5e-5))


def test_parts_that_do_not_add_up_are_refused() -> None:
    swapped = corner_shop.verified()
    shifted = corner_shop.blend()
    assert shifted.part_names[0] == "popularity"
    model = _with_shifted_score(swapped.model)

    with pytest.raises(ModelMismatchError, match=r"golden vector 0 is off by 0\.5"):
        Ranker(replace(swapped, model=model))


def _with_shifted_score(model: bytes) -> bytes:
    """Return a graph whose score is half a point above the sum of its parts."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    found = onnx.load_from_string(model)
    for node in found.graph.node:
        node.output[:] = ["honest" if name == "score" else name for name in node.output]
    found.graph.initializer.append(numpy_helper.from_array(np.array([0.5], np.float32), "half"))
    found.graph.node.append(helper.make_node("Add", ["honest", "half"], ["score"]))
    return bytes(found.SerializeToString())


def test_another_shape_of_parts_is_refused() -> None:
    found = golden()
    found["cases"][0]["parts"] = found["cases"][0]["parts"][:-1]

    with pytest.raises(ModelMismatchError, match="gave parts of shape"):
        open_with(json.dumps(found).encode())


def _without_cases(found: dict[str, Any]) -> None:
    found["cases"] = []


def _too_many(found: dict[str, Any]) -> None:
    found["cases"] *= MAX_CASES + 1


def _missing_input(found: dict[str, Any]) -> None:
    del found["cases"][0]["inputs"]["candidate"]


def _ragged(found: dict[str, Any]) -> None:
    found["cases"][0]["parts"] = [[1.0], [1.0, 2.0]]


def _text(found: dict[str, Any]) -> None:
    found["cases"][0]["inputs"]["candidate"] = ["x"]


def _huge(found: dict[str, Any]) -> None:
    found["cases"][0]["inputs"]["candidate"] = [2**70]


def _no_list(found: dict[str, Any]) -> None:
    found["cases"] = {"0": found["cases"][0]}


@pytest.mark.parametrize(
    "damage", [_without_cases, _too_many, _missing_input, _ragged, _text, _huge, _no_list]
)
def test_vectors_that_cannot_be_read_are_refused(damage: Callable[[dict[str, Any]], None]) -> None:
    found = golden()
    damage(found)

    with pytest.raises(BundleFormatError, match=r"golden\.json"):
        open_with(json.dumps(found).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"cases": 3}', b"[" * 100_000])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(BundleFormatError):
        open_with(data)


def test_vectors_that_ask_for_rows_the_graph_lacks_are_refused() -> None:
    found = golden()
    found["cases"][0]["inputs"]["candidate"][0] = 10**6

    with pytest.raises(ModelMismatchError):
        open_with(json.dumps(found).encode())


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(ModelMismatchError, match="onnxruntime cannot load the model"):
        Ranker(replace(corner_shop.verified(), model=b"no model"))
