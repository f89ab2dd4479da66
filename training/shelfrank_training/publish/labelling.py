"""Label a model folder for a bundle: from its recorded facts, not from what stands in its label.

A label that was edited by hand, or that belongs to another model or other aggregates, is refused.
Whoever edits the facts, their digest and the published numbers alike can still lie; they hold the
signing key anyway.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Final

from shelfrank.bundle import archive, strict
from shelfrank.bundle.label import Label, LabelledModel
from shelfrank.consent.policy import Policy
from shelfrank_training.aggregates.info import AggregatesInfo, parse_info
from shelfrank_training.errors import PublishError
from shelfrank_training.publish.label import label_bytes, make_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfrank.bundle.label import LabelledBundle
    from shelfrank.bundle.manifest import ModelInfo

FACTS: Final = "provenance.json"
"""File of a model folder: how its aggregates came about, as ``aggregates.json`` said it."""

FACTS_DIGEST: Final = "provenance_sha256"
"""Member of ``model.json``: digest of `FACTS`."""

ITEMS: Final = "items.parquet"
"""File of a model folder: the aggregates' table ``items``."""


def facts_bytes(info: AggregatesInfo) -> bytes:
    """Return `FACTS`."""
    return (json.dumps(info.to_json(), indent=1, ensure_ascii=False) + "\n").encode()


def digest(data: bytes) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def graph(info: ModelInfo, model: bytes) -> LabelledModel:
    """Return what a label says about a graph.

    Args:
        info: what it takes and gives.
        model: ``model.onnx``.
    """
    return LabelledModel(
        sha256=digest(model),
        parts=info.parts,
        inputs=tuple(spec.name for spec in info.inputs),
    )


def label_for_bundle(
    folder: Mapping[str, bytes], info: ModelInfo, bundle: LabelledBundle | None
) -> bytes:
    """Return the label of a model folder's bundle, and refuse a folder whose own label is not true.

    Args:
        folder: its files: graph, label, facts, ``model.json``, items, and perhaps the policy.
        info: what ``model.json`` says about the graph.
        bundle: which bundle it will be; None before that is known.

    Raises:
        PublishError: the label claims something else than the folder's facts, graph and numbers.
        BundleError: the label contradicts itself.
        PolicyError: the folder's policy cannot be read.
    """
    facts = _facts(folder)
    _check_items(folder[ITEMS], facts)
    policy = None if archive.POLICY not in folder else Policy.parse(folder[archive.POLICY])
    model = graph(info, folder[archive.MODEL])
    expected = Label.parse(label_bytes(make_label(facts, model=model, policy=policy)))
    _compare(Label.parse(folder[archive.LABEL]), expected)
    return label_bytes(make_label(facts, model=model, policy=policy, bundle=bundle))


def _facts(folder: Mapping[str, bytes]) -> AggregatesInfo:
    stated = strict.parse_object(folder["model.json"], where="model.json").text(FACTS_DIGEST)
    found = digest(folder[FACTS])
    if found != stated:
        raise PublishError(
            f"{FACTS} has SHA-256 {found}, model.json says {stated}",
            hint="what the aggregates said was changed after training; train again",
        )
    try:
        return parse_info(json.loads(folder[FACTS]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise PublishError(f"{FACTS} is damaged", hint="train again") from None


def _check_items(data: bytes, facts: AggregatesInfo) -> None:
    """Hold the promised `min_shoppers` against the numbers that are at hand.

    With epsilon the numbers carry noise and show no group's size.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        shoppers = pq.read_table(pa.BufferReader(data), columns=["shoppers"])["shoppers"]
        counted = [int(count) for count in shoppers.to_pylist()]
    except (pa.ArrowException, KeyError, TypeError) as error:
        raise PublishError(f"{ITEMS} is not the table of items ({error})") from None
    if facts.epsilon is None and counted and min(counted) < facts.min_shoppers:
        raise PublishError(
            f"{ITEMS} has a number over {min(counted)} shoppers, "
            f"the label promises at least {facts.min_shoppers}"
        )


def _compare(stated: Label, expected: Label) -> None:
    """Refuse a label that says something else than the one that the facts make."""
    for field in fields(Label):
        if field.compare and getattr(stated, field.name) != getattr(expected, field.name):
            raise PublishError(
                f"label.json states another {field.name} than {FACTS} and model.json give",
                hint="a label is generated, never edited; train again",
            )
