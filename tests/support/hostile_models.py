"""ONNX files that no bundle may carry, by name: what onnxruntime would read, run or trip over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from onnx import SparseTensorProto, TensorProto, TrainingInfoProto, TypeProto, helper, numpy_helper

from shelfrank.bundle import scan
from support.tiny_model import INFO, model_of, tiny_graph, tiny_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onnx import GraphProto, ModelProto, NodeProto

_SCALAR: Final = helper.make_tensor_value_info("x", TensorProto.FLOAT, [])


def _bytes(model: ModelProto) -> bytes:
    return bytes(model.SerializeToString())


def _with_tensor(tensor: TensorProto) -> bytes:
    graph = tiny_graph()
    graph.initializer.append(tensor)
    return tiny_model(graph)


def _tensor(
    dims: Sequence[int] = (1,),
    *,
    raw: bytes | None = None,
    listed: Sequence[float] = (),
    element: int = TensorProto.FLOAT,
) -> bytes:
    tensor = TensorProto(name="t", data_type=element, dims=dims, float_data=listed)
    if raw is not None:
        tensor.raw_data = raw
    return _with_tensor(tensor)


def _with_nodes(*nodes: NodeProto) -> bytes:
    return tiny_model(tiny_graph(nodes))


def external_data() -> bytes:
    """Point at a file beside the model: onnxruntime follows a hard link to anywhere."""
    tensor = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret")
    return _with_tensor(tensor)


def external_location_alone() -> bytes:
    """Say that the data are elsewhere without saying where."""
    tensor = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[1], raw_data=bytes(4))
    tensor.data_location = TensorProto.EXTERNAL
    return _with_tensor(tensor)


def external_data_in_a_constant() -> bytes:
    """Hide the pointer in a node's attribute."""
    tensor = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[1])
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return _with_nodes(helper.make_node("Constant", [], ["k"], value=tensor))


def endless_loop() -> bytes:
    """Loop 2**62 times."""
    return _with_nodes(
        helper.make_node("Loop", ["many", "yes"], ["x"], body=_body()),
    )


def branch() -> bytes:
    """Run one of two graphs."""
    branches = {"then_branch": _body(), "else_branch": _body()}
    return _with_nodes(helper.make_node("If", ["yes"], ["x"], **branches))


def graph_in_a_plain_operator() -> bytes:
    """Give an allowed operator a graph it has no use for."""
    return _with_nodes(helper.make_node("Identity", ["candidate"], ["x"], body=_body()))


def deep_nesting() -> bytes:
    """Nest graphs a thousand deep, for parsers that recurse."""
    inner = b""
    for _ in range(1000):
        attribute = _field(6, inner)
        inner = _field(1, _field(5, attribute))
    return _with_graph_bytes(inner)


def unknown_operator() -> bytes:
    """Use an operator that is not on the list."""
    return _with_nodes(helper.make_node("RandomNormal", [], ["x"], shape=[1]))


def unknown_domain() -> bytes:
    """Use an allowed name from another domain."""
    return _with_nodes(helper.make_node("Gather", ["a"], ["x"], domain="com.microsoft"))


def declared_domain() -> bytes:
    """Declare another domain."""
    model = model_of(tiny_graph())
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return _bytes(model)


def local_function() -> bytes:
    """Define an operator inside the model."""
    model = model_of(tiny_graph())
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("own", "Gather", [], [], [], opsets))
    return _bytes(model)


def training_part() -> bytes:
    """Carry a training graph."""
    model = model_of(tiny_graph())
    model.training_info.append(TrainingInfoProto(algorithm=_body()))
    return _bytes(model)


def sparse_tensor() -> bytes:
    """Carry a sparse initialiser."""
    graph = tiny_graph()
    values = numpy_helper.from_array(np.ones(1, np.float32), "s")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "i")
    graph.sparse_initializer.append(SparseTensorProto(values=values, indices=indices, dims=[9]))
    return tiny_model(graph)


def huge_tensor() -> bytes:
    """Declare 10**11 numbers."""
    return _tensor([100_000, 1_000_000])


def overflowing_tensor() -> bytes:
    """Declare sizes whose product is 0 in 64 bits."""
    return _tensor([2**32, 2**32])


def negative_tensor() -> bytes:
    """Declare a negative size."""
    return _tensor([-1])


def tensor_of_rank_nine() -> bytes:
    """Declare more axes than any table has."""
    return _tensor([1] * 9, raw=bytes(4))


def short_tensor() -> bytes:
    """Give fewer bytes than the shape needs."""
    return _tensor([2], raw=bytes(4))


def long_tensor() -> bytes:
    """Give more bytes than the shape needs."""
    return _tensor([1], raw=bytes(8))


def tensor_with_two_kinds_of_data() -> bytes:
    """Give the numbers twice, differently."""
    return _tensor(raw=bytes(4), listed=[1.0])


def short_listed_tensor() -> bytes:
    """List fewer numbers than the shape needs."""
    return _tensor([2], listed=[1.0])


def text_tensor() -> bytes:
    """Carry texts."""
    return _with_tensor(
        TensorProto(name="t", data_type=TensorProto.STRING, dims=[1], string_data=[b"x"])
    )


def tensor_typed_as_text() -> bytes:
    """Say that numbers are texts."""
    return _tensor(raw=bytes(4), element=TensorProto.STRING)


def tensor_of_unknown_type() -> bytes:
    """Carry numbers of a type that does not exist."""
    return _tensor(raw=bytes(4), element=99)


def segmented_tensor() -> bytes:
    """Carry a piece of a tensor."""
    tensor = TensorProto(name="t", data_type=1, dims=[1], raw_data=bytes(4))
    tensor.segment.begin = 0
    return _with_tensor(tensor)


def too_many_nodes() -> bytes:
    """Chain more nodes than a ranking graph has."""
    node = helper.make_node("Identity", ["candidate"], ["x"])
    return _with_nodes(*[node] * (scan.MAX_NODES + 1))


def too_many_tensors() -> bytes:
    """Carry more tensors than a ranking graph has."""
    graph = tiny_graph()
    tensor = TensorProto(name="t", data_type=1, dims=[1], raw_data=bytes(4))
    graph.initializer.extend([tensor] * (scan.MAX_TENSORS + 1))
    return tiny_model(graph)


def second_graph() -> bytes:
    """Append a graph: protobuf merges the two, a careless scan sees one."""
    hostile = tiny_graph([helper.make_node("Loop", ["many"], ["x"], body=_body())])
    return tiny_model() + _field(7, bytes(hostile.SerializeToString()))


def second_operator_name() -> bytes:
    """Name a node's operator twice: the last one counts, a careless scan may see the first."""
    node = helper.make_node("Identity", ["candidate"], ["x"])
    raw = bytes(node.SerializeToString()) + _field(4, b"Loop")
    return _with_graph_bytes(_field(1, raw))


def unknown_field() -> bytes:
    """Carry a field that the schema does not know."""
    return tiny_model() + _field(99, b"x")


def no_graph() -> bytes:
    """Leave the graph out."""
    model = model_of(tiny_graph())
    model.ClearField("graph")
    return _bytes(model)


def empty_file() -> bytes:
    """Carry nothing."""
    return b""


def missing_input() -> bytes:
    """Leave out an input that the manifest promises."""
    return tiny_model(tiny_graph(inputs=INFO.inputs[1:]))


def extra_input() -> bytes:
    """Ask for an input that the manifest does not name."""
    graph = tiny_graph()
    graph.input.append(_SCALAR)
    return tiny_model(graph)


def repeated_input() -> bytes:
    """Name an input twice in place of another."""
    return tiny_model(tiny_graph(inputs=(INFO.inputs[0], *INFO.inputs[:-1])))


def input_given_again() -> bytes:
    """Name all inputs and one of them again."""
    return tiny_model(tiny_graph(inputs=(*INFO.inputs, INFO.inputs[0])))


def input_of_another_type() -> bytes:
    """Take real numbers where rows are promised."""
    return _with_input("candidate", TensorProto.FLOAT, ["C"])


def input_of_another_rank() -> bytes:
    """Take a matrix where a list is promised."""
    return _with_input("candidate", TensorProto.INT64, ["C", "D"])


def input_of_fixed_size() -> bytes:
    """Take just three candidates."""
    return _with_input("candidate", TensorProto.INT64, [3])


def input_without_shape() -> bytes:
    """Say nothing about an input's shape."""
    return _with_input("candidate", TensorProto.INT64, None)


def input_that_is_a_sequence() -> bytes:
    """Take a sequence of tensors."""
    graph = tiny_graph()
    element = helper.make_tensor_type_proto(TensorProto.INT64, ["C"])
    graph.input[6].type.CopyFrom(TypeProto(sequence_type=TypeProto.Sequence(elem_type=element)))
    return tiny_model(graph)


def output_of_another_width() -> bytes:
    """Give three parts where two are promised."""
    graph = tiny_graph()
    graph.output[1].CopyFrom(
        helper.make_tensor_value_info("parts", TensorProto.FLOAT, ["C", 3]),
    )
    return tiny_model(graph)


def extra_output() -> bytes:
    """Give something nobody asked for."""
    graph = tiny_graph()
    graph.output.append(_SCALAR)
    return tiny_model(graph)


def other_opset() -> bytes:
    """Use other operators than the manifest promises."""
    return tiny_model(opset=17)


def second_opset() -> bytes:
    """Declare two versions of the default domain under its two names."""
    model = model_of(tiny_graph(), opset=17)
    model.opset_import.append(helper.make_opsetid("ai.onnx", 18))
    return _bytes(model)


def newer_ir() -> bytes:
    """Use a newer format than the oldest supported runtime reads."""
    return tiny_model(ir_version=11)


def older_ir() -> bytes:
    """Use a format in which tables are inputs that a caller can replace."""
    return tiny_model(ir_version=3)


HOSTILE_MODELS: Final[Sequence[Callable[[], bytes]]] = (
    external_data,
    external_location_alone,
    external_data_in_a_constant,
    endless_loop,
    branch,
    graph_in_a_plain_operator,
    deep_nesting,
    unknown_operator,
    unknown_domain,
    declared_domain,
    local_function,
    training_part,
    sparse_tensor,
    huge_tensor,
    overflowing_tensor,
    negative_tensor,
    tensor_of_rank_nine,
    short_tensor,
    long_tensor,
    tensor_with_two_kinds_of_data,
    short_listed_tensor,
    text_tensor,
    tensor_typed_as_text,
    tensor_of_unknown_type,
    segmented_tensor,
    too_many_nodes,
    too_many_tensors,
    second_graph,
    second_operator_name,
    unknown_field,
    no_graph,
    empty_file,
    missing_input,
    extra_input,
    repeated_input,
    input_given_again,
    input_of_another_type,
    input_of_another_rank,
    input_of_fixed_size,
    input_without_shape,
    input_that_is_a_sequence,
    output_of_another_width,
    extra_output,
    other_opset,
    second_opset,
    newer_ir,
    older_ir,
)
"""Each is a whole ``model.onnx``; the docstring says what it does."""


def _with_input(name: str, element: int, shape: list[str | int] | None) -> bytes:
    graph = tiny_graph()
    for value in graph.input:
        if value.name == name:
            value.CopyFrom(helper.make_tensor_value_info(name, element, shape))
    return tiny_model(graph)


def _body() -> GraphProto:
    return helper.make_graph([], "body", [], [])


def _with_graph_bytes(more: bytes) -> bytes:
    """Return a model with raw fields added to its graph."""
    model = model_of(tiny_graph())
    graph = bytes(model.graph.SerializeToString()) + more
    model.ClearField("graph")
    return _bytes(model) + _field(7, graph)


def _field(number: int, data: bytes) -> bytes:
    """Return one protobuf field of bytes."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
