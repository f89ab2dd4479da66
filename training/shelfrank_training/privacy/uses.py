"""Which part of a score uses which field: as the models here are built, and as a graph really does.

A field that nothing uses must not be kept (minimisation), whatever it might be good for one day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shelfrank.consent.purposes import FIELD_NAMES, FieldName

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Uses = dict[FieldName, tuple[str, ...]]
"""For each field what uses it, in a fixed order; empty where nothing does."""

GRAPH_INPUTS: Final[Mapping[FieldName, tuple[str, ...]]] = {
    "item": ("event_item",),
    "kind": ("event_kind",),
    "time": ("event_age_days",),
    "visit": ("event_visit", "event_rank"),
    "quantity": ("event_quantity",),
}
"""The inputs of the graph that carry a field of an event (design 4.3)."""

MODEL_USES: Final[Mapping[FieldName, tuple[str, ...]]] = {
    "item": ("next", "affinity", "category", "repeat"),
    "kind": ("next", "affinity", "category", "repeat"),
    "time": ("affinity", "category", "repeat"),
    "visit": ("next", "affinity", "category", "repeat"),
    "quantity": (),
}
"""What the estimators of this version use; `tests/training/privacy/test_uses.py` holds it against a
real graph. The graph has an input for quantities, and no part reads it: a visit with an item counts
once."""

PREFERENCE_USES: Final[Mapping[FieldName, tuple[str, ...]]] = {
    "brand": ("declared preferences",),
    "category": ("declared preferences",),
    "feedback": ("feedback",),
}
"""What a shopper declares is used on the device, beside the graph."""

# "How many" is only asked of what can be several.
COUNTED_KINDS: Final = frozenset({"cart", "purchase"})


def uses_of_models() -> Uses:
    """Return what the models of this version use."""
    return {name: {**MODEL_USES, **PREFERENCE_USES}[name] for name in FIELD_NAMES}


def uses_of_graph(model: bytes, parts: Sequence[str]) -> Uses:
    """Return what a model's graph really uses: from which inputs each part can be reached.

    Args:
        model: an ONNX model of this project.
        parts: the names of the columns of its output ``parts``, as in the manifest.

    Raises:
        PublishError: the graph does not put its parts together as ours do.
    """
    reached = _inputs_of_parts(model, len(parts))
    used: Uses = {
        name: tuple(part for part, found in zip(parts, reached, strict=True) if found & set(inputs))
        for name, inputs in GRAPH_INPUTS.items()
    }
    return {name: {**used, **PREFERENCE_USES}[name] for name in FIELD_NAMES}


def needless(name: str, kinds: Collection[str]) -> str | None:
    """Return why a field is not needed, or None: without a bundle, by what the models use.

    Args:
        name: of the field; unknown ones are the parser's business.
        kinds: of the events of its purpose.
    """
    uses = {**MODEL_USES, **PREFERENCE_USES}
    known = next((field for field in FIELD_NAMES if field == name), None)
    if known is None:
        return None
    if known == "quantity" and not COUNTED_KINDS & set(kinds):
        return "quantity, of events that have none"
    return None if uses[known] else f"{name}, which no part of the score uses"


def _inputs_of_parts(model: bytes, n_parts: int) -> list[frozenset[str]]:
    import onnx

    from shelfrank_training.errors import PublishError

    graph = onnx.load_from_string(model).graph
    made_by = {output: node for node in graph.node for output in node.output}
    inputs = {value.name for value in graph.input}
    joined = made_by.get("parts")
    if joined is None or joined.op_type != "Concat" or len(joined.input) != n_parts:
        raise PublishError("got a graph whose output `parts` is no Concat of its parts")

    def reached(name: str) -> frozenset[str]:
        seen, left = set[str](), [name]
        while left:
            here = left.pop()
            if here and here not in seen:
                seen.add(here)
                left += made_by[here].input if here in made_by else []
        return frozenset(seen & inputs)

    return [reached(name) for name in joined.input]
