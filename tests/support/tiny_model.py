"""A model folder with a graph of six nodes, small enough to flip every byte of its bundle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from onnx import TensorProto, helper, numpy_helper

from shelfrank.bundle.manifest import ModelInfo, TensorSpec
from shelfrank_training.aggregates.folder import parquet_bytes
from shelfrank_training.publish.catalog import CatalogRow, write_catalog
from shelfrank_training.publish.label import label_bytes, make_label
from shelfrank_training.publish.labelling import FACTS_DIGEST, digest, facts_bytes, graph
from support.labels import facts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

    from shelfrank.bundle.label import LabelledBundle

ROWS = (
    CatalogRow(item_id="00042", title="Brötchen", category="bakery", brand="Ähre", price=0.65),
    CatalogRow(item_id="7", title="Milk", category="dairy/milk", price=1.19),
    CatalogRow(item_id="sku-17", category="dairy/milk", brand="Hof"),
)
INFO = ModelInfo.standard(
    parts=("popularity", "affinity"), n_items=len(ROWS), n_categories=2, tolerance=1e-5
)
FACTS = facts(policy=None, excluded_categories=(), sensitive_items=0, sensitive_events=0, tables={})
"""How its aggregates would have come about, if there were any."""
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


def label(model: bytes, bundle: LabelledBundle | None = None) -> bytes:
    """Return the label of a graph, in a bundle or in none."""
    return label_bytes(make_label(FACTS, model=graph(INFO, model), bundle=bundle))


def model_files(model: bytes | None = None) -> dict[str, bytes]:
    """Return the files of a model folder, with another graph if one is given."""
    model = model or tiny_model()
    golden = {"cases": [{"candidate": [0, 1, 2], "score": [3.5, 2.25, 1.125]}]}
    kept = facts_bytes(FACTS)
    described = INFO.to_json() | {"aggregates": "tiny", FACTS_DIGEST: digest(kept)}
    return {
        "model.onnx": model,
        "catalog.bin": write_catalog(ROWS),
        "label.json": label(model),
        "golden.json": json.dumps(golden).encode(),
        "model.json": json.dumps(described).encode(),
        "provenance.json": kept,
        "items.parquet": parquet_bytes(
            pa.table({"item_id": [row.item_id for row in ROWS], "shoppers": [50, 60, 70]})
        ),
    }


def write_model_folder(folder: Path, model: bytes | None = None) -> Path:
    """Write a model folder, with another graph if one is given, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in model_files(model).items():
        (folder / name).write_bytes(data)
    return folder


def _value_info(spec: TensorSpec) -> ValueInfoProto:
    return helper.make_tensor_value_info(spec.name, _ELEMENTS[spec.element], list(spec.shape))
