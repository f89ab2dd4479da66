"""A model folder with a graph of six nodes, small enough to flip every byte of its bundle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from shelfrank.bundle.manifest import ModelInfo, TensorSpec
from shelfrank_training.publish.catalog import CatalogRow, write_catalog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

ROWS = (
    CatalogRow(item_id="00042", title="Brötchen", category="bakery", brand="Ähre", price=0.65),
    CatalogRow(item_id="7", title="Milk", category="dairy/milk", price=1.19),
    CatalogRow(item_id="sku-17", category="dairy/milk", brand="Hof"),
)
INFO = ModelInfo.standard(
    parts=("popularity", "affinity"), n_items=len(ROWS), n_categories=2, tolerance=1e-5
)
LABEL = {
    "min_shoppers": 50,
    "unprotected": False,
    "epsilon": None,
    "delta": None,
    "has_categories": True,
}
_ELEMENTS = {"int64": TensorProto.INT64, "float32": TensorProto.FLOAT}


def tiny_graph(
    nodes: Sequence[NodeProto] = (), *, inputs: Sequence[TensorSpec] = INFO.inputs
) -> GraphProto:
    """Return a graph that scores by row alone: parts = table[candidate].

    Args:
        nodes: put before the graph's own; a hostile one does its harm from here.
        inputs: declared inputs; the graph uses `candidate` alone.
    """
    table = np.array([[3.0, 0.5], [2.0, 0.25], [1.0, 0.125]], dtype=np.float32)
    own = [
        helper.make_node("Gather", ["table", "candidate"], ["parts"], axis=0),
        helper.make_node("ReduceSum", ["parts", "last"], ["score"], keepdims=0),
    ]
    return helper.make_graph(
        [*nodes, *own],
        "tiny",
        [_value_info(spec) for spec in inputs],
        [_value_info(spec) for spec in INFO.outputs],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "last"),
        ],
    )


def tiny_model(graph: GraphProto | None = None, *, opset: int = 18, ir_version: int = 10) -> bytes:
    """Return the bytes of ``model.onnx``."""
    model = model_of(graph or tiny_graph(), opset=opset, ir_version=ir_version)
    return bytes(model.SerializeToString())


def model_of(graph: GraphProto, *, opset: int = 18, ir_version: int = 10) -> ModelProto:
    """Return a graph as a model, for tests that go on changing it."""
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


def model_files() -> dict[str, bytes]:
    """Return the files of a model folder."""
    golden = {"cases": [{"candidate": [0, 1, 2], "score": [3.5, 2.25, 1.125]}]}
    return {
        "model.onnx": tiny_model(),
        "catalog.bin": write_catalog(ROWS),
        "label.json": json.dumps(LABEL).encode(),
        "golden.json": json.dumps(golden).encode(),
        "model.json": json.dumps(INFO.to_json() | {"aggregates": "tiny"}).encode(),
    }


def write_model_folder(folder: Path) -> Path:
    """Write a model folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in model_files().items():
        (folder / name).write_bytes(data)
    return folder


def _value_info(spec: TensorSpec) -> ValueInfoProto:
    return helper.make_tensor_value_info(spec.name, _ELEMENTS[spec.element], list(spec.shape))
