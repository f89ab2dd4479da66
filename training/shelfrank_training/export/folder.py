"""The model folder: everything a bundle needs, and what `evaluate` must know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from shelfrank.bundle.manifest import ModelInfo
from shelfrank.consent.policy import Policy
from shelfrank.ranking.session import Session
from shelfrank_training.export.graph import TOLERANCE
from shelfrank_training.models.size import part_bytes
from shelfrank_training.publish.catalog import CatalogRow, write_catalog
from shelfrank_training.publish.label import label_bytes, make_label
from shelfrank_training.publish.labelling import (
    FACTS,
    FACTS_DIGEST,
    ITEMS,
    digest,
    facts_bytes,
    graph,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shelfrank.ranking.session import GraphInputs
    from shelfrank_training.aggregates.folder import Aggregates
    from shelfrank_training.export.graph import Exported
    from shelfrank_training.models.blend import Blend
    from shelfrank_training.outcomes.learning import Decision

MODEL_JSON: Final = "model.json"
"""Every model folder holds it."""

FORMAT: Final = 0
"""Of the model folder; unreleased, may change."""

# Golden vectors are run whenever a bundle is opened and are read as JSON: the long question is left
# out.
_GOLDEN_CANDIDATES: Final = 100


def model_files(
    blend: Blend,
    exported: Exported,
    aggregates: Aggregates,
    rows: Sequence[CatalogRow],
    *,
    policy: bytes | None,
    size_limit: int | None = None,
) -> dict[str, bytes]:
    """Return the files of a model folder by name.

    Args:
        blend: fitted.
        exported: its graph.
        aggregates: what it was fitted on.
        rows: the items of the model's catalog.
        policy: ``policy.toml`` as it was written, or None.
        size_limit: most bytes of the bundle that was asked for, or None.

    Raises:
        PolicyError: the policy cannot be read.
        PublishError: the label has no true words for something in it.
    """
    stated = None if policy is None else Policy.parse(policy)
    label = make_label(
        aggregates.info, model=graph(model_info(blend), exported.model), policy=stated
    )
    files = {
        "model.onnx": exported.model,
        "catalog.bin": (catalog := write_catalog(rows)),
        "label.json": label_bytes(label),
        "golden.json": golden(exported),
        MODEL_JSON: _json(
            describe(blend, exported, aggregates)
            | {
                "size": _sizes(blend, exported, catalog, size_limit),
                "weights": _weights(blend),
            }
        ),
        FACTS: facts_bytes(aggregates.info),
        ITEMS: _parquet(aggregates.table("items")),
    }
    return files if policy is None else {**files, "policy.toml": policy}


def model_info(blend: Blend) -> ModelInfo:
    """Return what the graph of a fitted model takes and gives."""
    return ModelInfo.standard(
        parts=blend.part_names,
        n_items=blend.space_.n_items,
        n_categories=blend.space_.n_categories,
        tolerance=TOLERANCE,
    )


def describe(blend: Blend, exported: Exported, aggregates: Aggregates) -> dict[str, object]:
    """Return ``model.json``: the graph, and what its figures must be read with."""
    info = aggregates.info
    return {
        **model_info(blend).to_json(),
        "format": FORMAT,
        FACTS_DIGEST: digest(facts_bytes(info)),
        "holdout": {"share": info.holdout.share, "salt": info.holdout.salt},
        "time_range": info.to_json()["time_range"],
        "min_shoppers": info.min_shoppers,
        "max_items": info.max_items,
        "zone": info.zone,
        "epsilon": info.epsilon,
        "delta": info.delta,
        "parity": {"difference": exported.difference, "questions": len(exported.probes)},
        "parameters": {part.name: part.get_params() for part in blend.parts_},
        "learned": {"repeat_half_life_days": _half_life(blend)},
        "model_bytes": len(exported.model),
    }


def _sizes(
    blend: Blend, exported: Exported, catalog: bytes, size_limit: int | None
) -> dict[str, object]:
    """Return what the bundle's large parts take, bytes."""
    parts = {part.name: part_bytes(part) for part in blend.parts_}
    return {
        "limit": size_limit,
        "catalog": len(catalog),
        "graph": len(exported.model) - sum(parts.values()),
        "parts": parts,
    }


def _weights(blend: Blend) -> dict[str, object]:
    """Return the weights by situation and part; nothing decided about them."""
    rows = [[float(f"{weight:.6g}") for weight in row] for row in blend.weights_]
    return {"by_situation": rows, "decisions": []}


def with_decisions(files: Mapping[str, bytes], decisions: Sequence[Decision]) -> dict[str, bytes]:
    """Return a model folder that tells how the weights of its parts came about.

    Args:
        files: of `model_files`; a file that goes into no bundle changes.
        decisions: of the situations.
    """
    described = json.loads(files[MODEL_JSON])
    described["weights"]["decisions"] = [decision.to_json() for decision in decisions]
    return {**files, MODEL_JSON: _json(described)}


def _half_life(blend: Blend) -> float | None:
    learned = [getattr(part, "half_life_days_", None) for part in blend.parts_]
    return next((days for days in learned if days is not None), None)


def golden(exported: Exported) -> bytes:
    """Return ``golden.json``: made-up questions and the graph's own answers."""
    session = Session(exported.model)
    short = [probe for probe in exported.probes if 0 < probe.candidate.size <= _GOLDEN_CANDIDATES]
    return _json({"cases": [_case(session, probe) for probe in short]})


def _case(session: Session, probe: GraphInputs) -> dict[str, object]:
    parts = session.run(probe).parts
    return {
        "inputs": {name: values.tolist() for name, values in probe.feed().items()},
        "parts": [[float(f"{value:.7g}") for value in row] for row in parts.tolist()],
    }


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data
