"""skl2onnx converters of our estimators: one graph from history to score, features included.

Each converter is the estimator's numpy written as nodes; `shelfrank_training.export.parity` holds
the two against each other. The parser of `Blend` lays the parts side by side on one summary of the
history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

from shelfrank.bundle.manifest import GRAPH_INPUTS
from shelfrank.types import KIND_CODES, KINDS
from shelfrank_training.export.writer import INT64, GraphWriter
from shelfrank_training.models.blend import Blend
from shelfrank_training.models.history import HistoryReader
from shelfrank_training.models.parts import (
    AGAIN_DECAY,
    LONG_AGO_DAYS,
    LOOKING_KINDS,
    RANK_DECAY,
    SHORTEST_GAP_DAYS,
    Affinity,
    Category,
    Next,
    Popularity,
    Repeat,
)
from shelfrank_training.models.tables import TWO_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from shelfrank_training.models.tables import PairTable

_TYPES: Final = {"int64": Int64TensorType, "float32": FloatTensorType}

_STATE: Final = {
    "visit_item": Int64TensorType,
    "visit_number": Int64TensorType,
    "visit_age_days": FloatTensorType,
    "visit_weight": FloatTensorType,
    "past_item": Int64TensorType,
    "past_activity": FloatTensorType,
    "disliked": FloatTensorType,
}

_READS: Final = ("event_item", "event_kind", "event_age_days", "event_visit")
_PART_INPUTS: Final = (
    *("candidate", "event_item", "event_kind", "event_visit", "event_rank"),
    "daypart",
)

# Larger than any visit number or kind, so that item, visit and kind pack into one int64 without
# collision: 2**40 items-and-visits leave room for 100,000 visits with ten million items.
_VISITS: Final = 1 << 17
_KINDS: Final = 8


class _Call:
    """One converter call: inputs and outputs by name."""

    def __init__(self, scope: Any, operator: Any, container: Any, names: Sequence[str]) -> None:
        self.estimator = operator.raw_operator
        self.write = GraphWriter(scope, container, prefix=operator.type.removeprefix("Shelfrank"))
        self.input = dict(
            zip(names, [variable.full_name for variable in operator.inputs], strict=True)
        )
        self.outputs = [variable.full_name for variable in operator.outputs]


def _convert_history(scope: Any, operator: Any, container: Any) -> None:
    """`HistoryReader.read`: distinct (item, visit, kind), then distinct items."""
    call = _Call(scope, operator, container, _READS)
    write, reader = call.write, call.estimator
    out = dict(zip(_STATE, call.outputs, strict=True))
    item, visit = call.input["event_item"], call.input["event_visit"]
    key = write.node("Add", write.node("Mul", item, write.integers("visits", _VISITS)), visit)
    key = write.node(
        "Add",
        write.node("Mul", key, write.integers("kinds", _KINDS)),
        call.input["event_kind"],
    )
    _, first, place = write.nodes("Unique", key, outputs=3, sorted=1)
    write.into(out["visit_item"], "Gather", item, first, axis=0)
    write.into(out["visit_number"], "Gather", visit, first, axis=0)
    # Whatever order the events come in: the latest of several is the one that counts.
    write.into(
        out["visit_age_days"],
        "ScatterElements",
        write.node("Gather", call.input["event_age_days"], first, axis=0),
        place,
        call.input["event_age_days"],
        axis=0,
        reduction="min",
    )
    kind = write.node("Gather", call.input["event_kind"], first, axis=0)
    kind_weights = write.constant("kind_weights", reader.kind_weights_)
    write.into(out["visit_weight"], "Gather", kind_weights, kind, axis=0)
    dislike = write.to_float(
        write.node("Equal", kind, write.integers("dislike", KIND_CODES["dislike"]))
    )
    dislikes = write.scatter_add(reader.n_rows_, out["visit_item"], dislike)
    write.into(out["disliked"], "Min", dislikes, write.number("once", 1.0))
    faded = write.halved(out["visit_age_days"], reader.activity_half_life_days)
    total = write.scatter_add(
        reader.n_rows_, out["visit_item"], write.node("Mul", out["visit_weight"], faded)
    )
    past = write.node("Unique", out["visit_item"], sorted=1)
    write.into(out["past_item"], "Identity", past)
    active = write.log1p(write.node("Gather", total, past, axis=0))
    unloved = write.node("Gather", out["disliked"], past, axis=0)
    loved = write.node("Sub", write.number("one", 1.0), unloved)
    write.into(out["past_activity"], "Sub", write.node("Mul", active, loved), unloved)


def _spread(write: GraphWriter, name: str, table: PairTable, source: str, weight: str) -> str:
    """`PairTable.spread`: a dense vector over the targets.

    The work is that of the entries of the sources at hand, however long single rows are.
    """
    if not table.target.size:
        return write.node("ConstantOfShape", write.integers("size", table.n_targets))
    # Of constants alone, so computed once, when the graph is loaded.
    lengths = write.to_int64(write.constant(f"{name}_length", table.length))
    ends = write.running_sum(lengths)
    own = write.pick(lengths, source)
    stop = write.running_sum(own)
    total = write.node("ReduceSum", own, write.integers("axes", 0), keepdims=1)
    place, row = _ragged(write, source, stop, total)
    # From the place among the entries at hand to that in the table: both rows end with their last.
    shift = write.node("Sub", write.pick(ends, source), stop)
    at = write.node("Add", place, write.pick(shift, row))
    factor = weight
    if table.scale is not None:
        scale = write.pick(write.coded(f"{name}_scale", table.scale), source)
        factor = write.node("Mul", scale, weight)
    value = write.pick(write.constant(f"{name}_value", table.value), at)
    if table.value.dtype != np.float32:
        value = write.to_float(value)
    return write.scatter_add(
        table.n_targets,
        _targets(write, name, table, at),
        write.node("Mul", value, write.pick(factor, row)),
    )


def _ragged(write: GraphWriter, source: str, stop: str, total: str) -> tuple[str, str]:
    """Count through the entries of all sources: each one's place, and which source it is of.

    A 1 where a row ends, more where empty ones follow: their running sum is the number of the row.
    """
    one = write.integers("one", 1)
    zero = TensorProto(data_type=INT64, dims=[1], int64_data=[0], name="zero")
    places = write.node("ConstantOfShape", write.node("Add", total, one), value=zero)
    ends = write.node("Expand", one, write.node("Shape", source))
    marks = write.node("ScatterElements", places, stop, ends, axis=0, reduction="add")
    # The last mark stands behind the last entry.
    row = write.node(
        "Slice", write.running_sum(marks), write.integers("first", 0), write.integers("last", -1)
    )
    scalar = write.constant("from", np.array(0, dtype=np.int64))
    step = write.constant("step", np.array(1, dtype=np.int64))
    return write.node("Range", scalar, write.node("Squeeze", total), step), row


def _targets(write: GraphWriter, name: str, table: PairTable, at: str) -> str:
    """Return int64 targets of the entries `at`; above two bytes, the third stands apart."""
    if table.n_targets <= TWO_BYTES:
        return write.to_int64(write.pick(write.constant(f"{name}_target", table.target), at))
    low = write.constant(f"{name}_target_low", (table.target % TWO_BYTES).astype(np.uint16))
    high = write.constant(f"{name}_target_high", (table.target // TWO_BYTES).astype(np.uint8))
    above = write.node(
        "Mul", write.to_int64(write.pick(high, at)), write.integers("high", TWO_BYTES)
    )
    return write.node("Add", write.to_int64(write.pick(low, at)), above)


def _part_call(scope: Any, operator: Any, container: Any) -> _Call:
    return _Call(scope, operator, container, [*_STATE, *_PART_INPUTS])


def _convert_popularity(scope: Any, operator: Any, container: Any) -> None:
    call = _part_call(scope, operator, container)
    write, part, candidate = call.write, call.estimator, call.input["candidate"]
    row = write.coded("row", part.row_)
    if part.daypart_ is None:
        write.into(call.outputs[0], "GatherElements", row, candidate, axis=0)
        return
    daypart = call.input["daypart"]
    # One after the other: the rows at night, in the morning ...; asked at any, told where known.
    asked = write.node("Max", daypart, write.integers("night", 0))
    start = write.node("Mul", asked, write.integers("rows", part.n_rows_))
    added = write.pick(write.coded("daypart", part.daypart_), write.node("Add", candidate, start))
    known = write.to_float(write.node("Greater", daypart, write.integers("unknown", -1)))
    added = write.node("Mul", added, known)
    write.into(call.outputs[0], "Add", write.pick(row, candidate), added)


def _convert_next(scope: Any, operator: Any, container: Any) -> None:
    call = _part_call(scope, operator, container)
    write, part = call.write, call.estimator
    now = write.to_float(
        write.node("Equal", call.input["event_visit"], write.integers("current", 0))
    )
    rank = write.to_float(call.input["event_rank"])
    pull = write.node("Exp", write.node("Mul", rank, write.number("rank_rate", -1 / RANK_DECAY)))
    inside = _spread(
        write, "in_visit", part.in_visit_, call.input["event_item"], write.node("Mul", pull, now)
    )
    still = write.node("Exp", write.node("Mul", rank, write.number("again_rate", -1 / AGAIN_DECAY)))
    again = write.coded("again", part.again_)
    again = write.node("Gather", again, call.input["event_item"], axis=0)
    kinds = np.isin(np.arange(len(KINDS)), LOOKING_KINDS).astype(np.float32)
    looking = write.constant("looking", kinds)
    looking = write.node("Gather", looking, call.input["event_kind"], axis=0)
    still = write.node("Mul", write.node("Mul", still, looking), now)
    again = write.node("Mul", again, still)
    again = write.scatter_add(part.again_.codes.size, call.input["event_item"], again)
    before = write.to_float(
        write.node("Equal", call.input["visit_number"], write.integers("before", 1))
    )
    weight = write.node("Mul", call.input["visit_weight"], before)
    at_start = _spread(write, "at_start", part.at_start_, call.input["visit_item"], weight)
    dense = write.node("Add", write.node("Add", inside, again), at_start)
    write.into(call.outputs[0], "GatherElements", dense, call.input["candidate"], axis=0)


def _convert_affinity(scope: Any, operator: Any, container: Any) -> None:
    call = _part_call(scope, operator, container)
    dense = _spread(
        call.write,
        "table",
        call.estimator.table_,
        call.input["past_item"],
        call.input["past_activity"],
    )
    call.write.into(call.outputs[0], "GatherElements", dense, call.input["candidate"], axis=0)


def _convert_category(scope: Any, operator: Any, container: Any) -> None:
    call = _part_call(scope, operator, container)
    write, part = call.write, call.estimator
    candidate = call.input["candidate"]
    if not part.table_.target.size:  # No categories, or nothing published: they weigh nothing.
        write.into(call.outputs[0], "ConstantOfShape", write.node("Shape", candidate))
        return
    category_of = write.constant("category_of", part.category_of_)
    of_items = write.to_int64(write.node("Gather", category_of, call.input["past_item"], axis=0))
    active = call.input["past_activity"]
    weight = write.coded("source_weight", part.source_weight_)
    weight = write.node("Gather", weight, call.input["past_item"], axis=0)
    # Added up by category first: a long history has many items, but few categories.
    total = write.scatter_add(part.table_.n_targets, of_items, write.node("Mul", active, weight))
    source = write.node("Unique", of_items, sorted=1)
    weight = write.node("Gather", total, source, axis=0)
    dense = _spread(write, "table", part.table_, source, weight)
    target = write.to_int64(write.node("GatherElements", category_of, candidate, axis=0))
    write.into(call.outputs[0], "GatherElements", dense, target, axis=0)


def _convert_repeat(scope: Any, operator: Any, container: Any) -> None:
    call = _part_call(scope, operator, container)
    write, part = call.write, call.estimator
    item, weight = call.input["visit_item"], call.input["visit_weight"]
    faded = write.halved(call.input["visit_age_days"], part.half_life_days_)
    lately = write.log1p(write.scatter_add(part.n_rows_, item, write.node("Mul", weight, faded)))
    visits = write.scatter_add(part.n_rows_, item, weight)
    dense = write.node(
        "Add",
        write.node("Mul", lately, write.number("recent_weight", part.recent_weight)),
        write.node("Mul", write.log1p(visits), write.number("weight", part.weight)),
    )
    late = _overdue(write, part, item, call.input["visit_age_days"], visits)
    dense = write.node("Sub", dense, late)
    unloved = write.node("Mul", call.input["disliked"], write.number("dislike", part.dislike))
    dense = write.node("Sub", dense, unloved)
    write.into(call.outputs[0], "GatherElements", dense, call.input["candidate"], axis=0)


def _overdue(write: GraphWriter, part: Repeat, item: str, age: str, visits: str) -> str:
    """`Repeat.part`: what is taken off items that are long overdue, by row."""
    one = write.number("one", 1.0)
    last = write.scatter_extreme(LONG_AGO_DAYS, part.n_rows_, item, age, "min")
    first = write.scatter_extreme(0.0, part.n_rows_, item, age, "max")
    between = write.node("Sub", first, last)
    times = write.node("Max", write.node("Sub", visits, one), one)
    shortest = write.number("shortest", SHORTEST_GAP_DAYS)
    gap = write.node("Max", write.node("Div", between, times), shortest)
    late = write.node("Sub", write.node("Div", last, gap), one)
    late = write.log1p(write.node("Max", late, write.number("none", 0.0)))
    again = write.to_float(write.node("Greater", between, write.number("none", 0.0)))
    late = write.node("Mul", late, write.number("overdue", part.overdue))
    return write.node("Mul", late, again)


def _convert_blend(scope: Any, operator: Any, container: Any) -> None:
    write = GraphWriter(scope, container, prefix="blend")
    model = operator.raw_operator
    score, parts = [variable.full_name for variable in operator.outputs]
    given = [variable.full_name for variable in operator.inputs]
    last = write.integers("last", 1)
    columns = [write.node("Unsqueeze", part, last) for part in given[: len(model.parts_)]]
    if model.is_weighted:
        weights = write.constant("weights", model.weights_)
        here = write.node("Gather", weights, given[-1], axis=0)
        write.into(parts, "Mul", write.node("Concat", *columns, axis=1), here)
    else:
        write.into(parts, "Concat", *columns, axis=1)
    write.into(score, "ReduceSum", parts, last, keepdims=0)


def _parse_blend(
    scope: Any,
    model: Blend,
    inputs: Any,
    custom_parsers: Any = None,  # noqa: ARG001 - skl2onnx passes it
) -> Any:
    """Lay out history → parts → weighted sum."""
    given = {variable.raw_name: variable for variable in inputs}
    history = scope.declare_local_operator("ShelfrankHistory", model.reader_)
    history.inputs.extend(given[name] for name in _READS)
    state = [scope.declare_local_variable(name, kind([None])) for name, kind in _STATE.items()]
    history.outputs.extend(state)
    blend = scope.declare_local_operator("ShelfrankBlend", model)
    for part in model.parts_:
        operator = scope.declare_local_operator(_ALIASES[type(part)], part)
        operator.inputs.extend([*state, *(given[name] for name in _PART_INPUTS)])
        output = scope.declare_local_variable(f"part_{part.name}", FloatTensorType([None]))
        operator.outputs.append(output)
        blend.inputs.append(output)
    if model.is_weighted:
        blend.inputs.append(given["situation"])
    blend.outputs.append(scope.declare_local_variable("score", FloatTensorType([None])))
    n_parts = len(model.parts_)
    blend.outputs.append(scope.declare_local_variable("parts", FloatTensorType([None, n_parts])))
    return blend.outputs


def _keep_types(operator: Any) -> None:
    """Shapes and types are stated by the parser."""


_CONVERTERS: Final[dict[type, tuple[str, Callable[[Any, Any, Any], None]]]] = {
    HistoryReader: ("ShelfrankHistory", _convert_history),
    Popularity: ("ShelfrankPopularity", _convert_popularity),
    Next: ("ShelfrankNext", _convert_next),
    Affinity: ("ShelfrankAffinity", _convert_affinity),
    Category: ("ShelfrankCategory", _convert_category),
    Repeat: ("ShelfrankRepeat", _convert_repeat),
    Blend: ("ShelfrankBlend", _convert_blend),
}

_ALIASES: Final[dict[type, str]] = {kind: alias for kind, (alias, _) in _CONVERTERS.items()}


def register() -> None:
    """Tell skl2onnx about our estimators; calling it again changes nothing."""
    for estimator, (alias, convert) in _CONVERTERS.items():
        parser = _parse_blend if estimator is Blend else None
        update_registered_converter(
            estimator, alias, _keep_types, convert, overwrite=True, parser=parser
        )


def initial_types() -> list[tuple[str, Any]]:
    """Return the graph's inputs as skl2onnx wants them: name and type, one dimension each."""
    return [
        (
            spec.name,
            _TYPES[spec.element]([None if isinstance(axis, str) else axis for axis in spec.shape]),
        )
        for spec in GRAPH_INPUTS
    ]


__all__ = ["initial_types", "register"]
