"""Look through an ONNX file before onnxruntime sees it (bundle-format.md, section 9).

onnxruntime reads external data through hard links and from the working directory, runs loops
without end and has crashed on odd graphs. So a bundle's graph may hold plain operators and plain
tensors only. The signature is the real defence; this limits the harm of a compromised or careless
publisher. Messages and field numbers: onnx.proto of ONNX 1.17.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from shelfrank.bundle.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Field,
    Value,
    read_message,
    read_packed,
    signed,
    text,
)
from shelfrank.errors import BundleFormatError, ModelMismatchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shelfrank.bundle.manifest import ModelInfo, TensorSpec

# fmt: off
ALLOWED_OPERATORS: Final = frozenset(
    {
        "Abs", "Add", "And", "ArgMax", "ArgMin", "Cast", "Ceil", "Clip", "Concat", "Constant",
        "ConstantOfShape", "CumSum", "Div", "Equal", "Exp", "Expand", "Flatten", "Floor",
        "Gather", "GatherElements", "GatherND", "Greater", "GreaterOrEqual", "Identity",
        "IsNaN", "Less", "LessOrEqual", "Log", "MatMul", "Max", "Min", "Mod", "Mul", "Neg",
        "NonZero", "Not", "Or", "Pow", "Range", "Reciprocal", "ReduceMax", "ReduceMean",
        "ReduceMin", "ReduceProd", "ReduceSum", "Relu", "Reshape", "Round", "ScatterElements",
        "ScatterND", "Shape", "Sigmoid", "Sign", "Size", "Slice", "Softplus", "Split", "Sqrt",
        "Squeeze", "Sub", "Tanh", "Tile", "TopK", "Transpose", "Unique", "Unsqueeze", "Where",
        "Xor",
    }
)
# fmt: on
"""Operators of the default domain that only compute: no loops, branches, chance or files."""

# A ranking graph of all parts has about 200 nodes; each costs time when the session is made.
MAX_NODES: Final = 5_000
MAX_TENSORS: Final = 5_000
# 256 MiB of tables as the largest element is 8 bytes; the file's own limit is below that.
MAX_TENSOR_ELEMENTS: Final = 2**25
MAX_RANK: Final = 8
MIN_IR_VERSION: Final = 4  # From 4 on, initialisers need not be inputs too.
MAX_IR_VERSION: Final = 10  # onnxruntime 1.20, our floor, reads no newer one.

_DEFAULT_DOMAINS: Final = frozenset({"", "ai.onnx"})
# skl2onnx declares the machine-learning domain even when no node uses it.
_DECLARED_DOMAINS: Final = _DEFAULT_DOMAINS | {"ai.onnx.ml"}

# TensorProto.DataType → bytes of one element. No strings, complex or 4-bit numbers.
_ELEMENT_BYTES: Final[Mapping[int, int]] = {
    1: 4,  # float32
    2: 1,  # uint8
    3: 1,  # int8
    4: 2,  # uint16
    5: 2,  # int16
    6: 4,  # int32
    7: 8,  # int64
    9: 1,  # bool
    10: 2,  # float16
    11: 8,  # float64
    12: 4,  # uint32
    13: 8,  # uint64
}
_ELEMENT_CODES: Final = {"float32": 1, "int64": 7}

_NUMBER: Final = (VARINT,)
_NUMBERS: Final = (VARINT, BYTES)

_MODEL: Final = {
    1: Field("ir_version", _NUMBER),
    2: Field("producer_name"),
    3: Field("producer_version"),
    4: Field("domain"),
    5: Field("model_version", _NUMBER),
    6: Field("doc_string"),
    7: Field("graph"),
    8: Field("opset_import", repeated=True),
    14: Field("metadata_props", repeated=True),
}
_OPSET: Final = {1: Field("domain"), 2: Field("version", _NUMBER)}
_GRAPH: Final = {
    1: Field("node", repeated=True),
    2: Field("name"),
    5: Field("initializer", repeated=True),
    10: Field("doc_string"),
    11: Field("input", repeated=True),
    12: Field("output", repeated=True),
    13: Field("value_info", repeated=True),
    16: Field("metadata_props", repeated=True),
}
_NODE: Final = {
    1: Field("input", repeated=True),
    2: Field("output", repeated=True),
    3: Field("name"),
    4: Field("op_type"),
    5: Field("attribute", repeated=True),
    6: Field("doc_string"),
    7: Field("domain"),
    9: Field("metadata_props", repeated=True),
}
# No graphs, sparse tensors or types: nothing on the list of operators has such an attribute.
_ATTRIBUTE: Final = {
    1: Field("name"),
    2: Field("f", (FIXED32,)),
    3: Field("i", _NUMBER),
    4: Field("s"),
    5: Field("t"),
    7: Field("floats", (FIXED32, BYTES), repeated=True),
    8: Field("ints", _NUMBERS, repeated=True),
    9: Field("strings", repeated=True),
    13: Field("doc_string"),
    20: Field("type", _NUMBER),
}
# No segment, strings, external data: the numbers are in this file or nowhere.
_TENSOR: Final = {
    1: Field("dims", _NUMBERS, repeated=True),
    2: Field("data_type", _NUMBER),
    4: Field("float_data", (FIXED32, BYTES), repeated=True),
    5: Field("int32_data", _NUMBERS, repeated=True),
    7: Field("int64_data", _NUMBERS, repeated=True),
    8: Field("name"),
    9: Field("raw_data"),
    10: Field("double_data", (FIXED64, BYTES), repeated=True),
    11: Field("uint64_data", _NUMBERS, repeated=True),
    12: Field("doc_string"),
    14: Field("data_location", _NUMBER),
    16: Field("metadata_props", repeated=True),
}
_VALUE_INFO: Final = {
    1: Field("name"),
    2: Field("type"),
    3: Field("doc_string"),
    4: Field("metadata_props", repeated=True),
}
_TYPE: Final = {1: Field("tensor_type"), 6: Field("denotation")}
_TENSOR_TYPE: Final = {1: Field("elem_type", _NUMBER), 2: Field("shape")}
_SHAPE: Final = {1: Field("dim", repeated=True)}
_DIMENSION: Final = {1: Field("dim_value", _NUMBER), 2: Field("dim_param"), 3: Field("denotation")}


@dataclass(slots=True)
class _Graph:
    """What the walk through one graph gathers."""

    inputs: list[_TensorType] = field(default_factory=list)
    outputs: list[_TensorType] = field(default_factory=list)
    nodes: int = 0
    tensors: int = 0


@dataclass(frozen=True, slots=True)
class _TensorType:
    """An input or output: element is a TensorProto.DataType, a size of None is open."""

    name: str
    element: int
    shape: tuple[int | None, ...] | None


def scan_model(data: bytes, info: ModelInfo) -> None:
    """Return only if a graph is plain and takes and gives what the manifest says.

    Args:
        data: the bytes of ``model.onnx``, as they will be handed to onnxruntime.
        info: what the manifest says about them.

    Raises:
        BundleFormatError: not an ONNX file, or something in it that no bundle may have.
        ModelMismatchError: an operator, opset, input or output other than allowed or promised.
    """
    graph: _Graph | None = None
    ir_version = 0
    opsets: dict[str, int] = {}
    for value in read_message(memoryview(data), _MODEL, what="model"):
        if value.name == "ir_version":
            ir_version = value.number
        elif value.name == "opset_import":
            _add_opset(opsets, value.data)
        elif value.name == "graph":
            graph = _scan_graph(value.data)
    if graph is None:
        raise BundleFormatError("model has no graph")
    if not MIN_IR_VERSION <= ir_version <= MAX_IR_VERSION:
        raise ModelMismatchError(
            f"model has IR version {ir_version}, {MIN_IR_VERSION}..{MAX_IR_VERSION} are read"
        )
    if opsets.get("") != info.opset:
        raise ModelMismatchError(
            f"model uses opset {opsets.get('')}, the manifest promises {info.opset}"
        )
    _compare("inputs", graph.inputs, info.inputs)
    _compare("outputs", graph.outputs, info.outputs)


def _add_opset(opsets: dict[str, int], data: memoryview) -> None:
    domain, version = "", 0
    for value in read_message(data, _OPSET, what="opset_import"):
        if value.name == "domain":
            domain = text(value)
        else:
            version = value.number
    if domain not in _DECLARED_DOMAINS:
        raise ModelMismatchError(f"model declares operators of the domain {domain!r:.80}")
    domain = "" if domain in _DEFAULT_DOMAINS else domain
    if domain in opsets:
        raise BundleFormatError(f"model declares the domain {domain or 'ai.onnx'} twice")
    opsets[domain] = version


def _scan_graph(data: memoryview) -> _Graph:
    graph = _Graph()
    for value in read_message(data, _GRAPH, what="graph"):
        if value.name == "node":
            graph.nodes += 1
            graph.tensors += _scan_node(value.data)
        elif value.name == "initializer":
            graph.tensors += 1
            _scan_tensor(value.data)
        elif value.name == "input":
            graph.inputs.append(_scan_value_info(value.data))
        elif value.name == "output":
            graph.outputs.append(_scan_value_info(value.data))
        elif value.name == "value_info":
            _scan_value_info(value.data)
    if graph.nodes > MAX_NODES or graph.tensors > MAX_TENSORS:
        raise BundleFormatError(
            f"model has {graph.nodes:,} nodes and {graph.tensors:,} tensors, "
            f"at most {MAX_NODES:,} and {MAX_TENSORS:,} are read"
        )
    return graph


def _scan_node(data: memoryview) -> int:
    """Check one node; return how many tensors its attributes hold."""
    operator, domain, tensors = "", "", 0
    for value in read_message(data, _NODE, what="node"):
        if value.name == "op_type":
            operator = text(value)
        elif value.name == "domain":
            domain = text(value)
        elif value.name == "attribute":
            tensors += _scan_attribute(value.data)
    if domain not in _DEFAULT_DOMAINS or operator not in ALLOWED_OPERATORS:
        full = f"{domain}::{operator}" if domain else operator
        raise ModelMismatchError(
            f"model has a node {full!r:.80}, which is not among the operators a bundle may use"
        )
    return tensors


def _scan_attribute(data: memoryview) -> int:
    tensors = 0
    for value in read_message(data, _ATTRIBUTE, what="attribute"):
        if value.name == "t":
            tensors += 1
            _scan_tensor(value.data)
    return tensors


def _scan_tensor(data: memoryview) -> None:
    """Check that a tensor is small, of a plain type and wholly in this file."""
    element = 0
    dims: list[int] = []
    raw: int | None = None
    listed = 0
    for value in read_message(data, _TENSOR, what="tensor"):
        if value.name == "data_type":
            element = value.number
        elif value.name == "dims":
            dims += [signed(number) for number in read_packed(value, what="dims")]
        elif value.name == "raw_data":
            raw = len(value.data)
        else:
            listed += _count_listed(value)
    if element not in _ELEMENT_BYTES:
        raise BundleFormatError(f"model has a tensor of element type {element}, which is not plain")
    n_elements = _n_elements(dims)
    fits = listed == n_elements if raw is None else raw == n_elements * _ELEMENT_BYTES[element]
    if not fits or (raw is not None and listed):
        raise BundleFormatError("model has a tensor whose data do not fit its shape")


def _count_listed(value: Value) -> int:
    """Return how many numbers a field other than `raw_data` adds to a tensor."""
    if value.name == "data_location" and value.number != 0:
        raise BundleFormatError("model keeps a tensor's data outside the file")
    if not value.name.endswith("_data"):
        return 0
    if value.name == "float_data":
        return len(value.data) // 4
    if value.name == "double_data":
        return len(value.data) // 8
    return len(read_packed(value, what=value.name))


def _n_elements(dims: Sequence[int]) -> int:
    if len(dims) > MAX_RANK or any(not 0 <= size <= MAX_TENSOR_ELEMENTS for size in dims):
        raise BundleFormatError(f"model has a tensor of impossible shape (rank {len(dims)})")
    n_elements = math.prod(dims)
    if n_elements > MAX_TENSOR_ELEMENTS:
        raise BundleFormatError(
            f"model has a tensor of {n_elements:,} elements, "
            f"at most {MAX_TENSOR_ELEMENTS:,} are read"
        )
    return n_elements


def _scan_value_info(data: memoryview) -> _TensorType:
    name, element = "", 0
    shape: tuple[int | None, ...] | None = None
    for value in read_message(data, _VALUE_INFO, what="value_info"):
        if value.name == "name":
            name = text(value)
        elif value.name == "type":
            element, shape = _scan_type(value.data)
    return _TensorType(name, element, shape)


def _scan_type(data: memoryview) -> tuple[int, tuple[int | None, ...] | None]:
    element = 0
    shape: tuple[int | None, ...] | None = None
    for kind in read_message(data, _TYPE, what="type"):
        if kind.name != "tensor_type":
            continue
        for value in read_message(kind.data, _TENSOR_TYPE, what="tensor_type"):
            if value.name == "elem_type":
                element = value.number
            else:
                dims = read_message(value.data, _SHAPE, what="shape")
                shape = tuple(_scan_dimension(dim.data) for dim in dims)
    return element, shape


def _scan_dimension(data: memoryview) -> int | None:
    size: int | None = None
    for value in read_message(data, _DIMENSION, what="dimension"):
        if value.name == "dim_value":
            size = signed(value.number)
    if size is not None:
        _n_elements([size])
    return size


def _compare(what: str, found: Sequence[_TensorType], promised: Sequence[TensorSpec]) -> None:
    names = [tensor.name for tensor in found]
    wanted = {spec.name: spec for spec in promised}
    if len(names) != len(wanted) or set(names) != set(wanted):
        raise ModelMismatchError(
            f"model has the {what} {', '.join(names)[:200]!r}, "
            f"the manifest promises {', '.join(wanted)!r}"
        )
    for tensor in found:
        spec = wanted[tensor.name]
        if tensor.element != _ELEMENT_CODES[spec.element] or not _fits(tensor.shape, spec.shape):
            raise ModelMismatchError(
                f"model's {tensor.name} is not {spec.element}{list(spec.shape)}, "
                "which the manifest promises"
            )


def _fits(found: tuple[int | None, ...] | None, promised: tuple[str | int, ...]) -> bool:
    """Say whether a declared shape is the promised one; sizes with a name must be open."""
    if found is None or len(found) != len(promised):
        return False
    return all(
        size is None if isinstance(axis, str) else size in {axis, None}
        for size, axis in zip(found, promised, strict=True)
    )
