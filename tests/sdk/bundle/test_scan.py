"""Plain graphs pass; the wire scan knows what onnxruntime would do with the others."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from shelfrank.bundle.scan import scan_model
from shelfrank.bundle.wire import Field, read_message, read_varint, signed
from shelfrank.errors import BundleError, BundleFormatError, ModelMismatchError
from support import hostile_models
from support.tiny_model import INFO, model_of, tiny_graph, tiny_model

BYTES = st.binary(max_size=30)


def test_a_plain_graph_passes():
    scan_model(tiny_model(), INFO)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_a_table_of_any_plain_type_passes_raw_or_listed(dtype):
    table = np.ones((2, 3), dtype=dtype)
    graph = tiny_graph()
    graph.initializer.append(numpy_helper.from_array(table, "raw"))
    code = helper.np_dtype_to_tensor_dtype(table.dtype)
    graph.initializer.append(helper.make_tensor("listed", code, table.shape, table.ravel()))

    scan_model(model_of(graph).SerializeToString(), INFO)


@pytest.mark.parametrize("value", [[], [0], [0, 0], [1, 2, 3]])
def test_listed_whole_numbers_are_counted_zeros_and_none_included(value):
    graph = tiny_graph()
    graph.initializer.append(helper.make_tensor("listed", TensorProto.INT64, [len(value)], value))

    scan_model(model_of(graph).SerializeToString(), INFO)


def test_a_scalar_passes():
    graph = tiny_graph()
    graph.initializer.append(helper.make_tensor("scalar", TensorProto.FLOAT, [], [1.5]))

    scan_model(model_of(graph).SerializeToString(), INFO)


def test_constants_inside_nodes_pass():
    constant = helper.make_node(
        "Constant", [], ["k"], value=numpy_helper.from_array(np.ones(3, np.float32))
    )

    scan_model(tiny_model(tiny_graph([constant])), INFO)


def test_the_machine_learning_domain_may_be_declared_but_not_used():
    model = model_of(tiny_graph())
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    scan_model(model.SerializeToString(), INFO)

    model.graph.node[0].domain = "ai.onnx.ml"
    with pytest.raises(ModelMismatchError, match=r"ai\.onnx\.ml::Gather"):
        scan_model(model.SerializeToString(), INFO)


@pytest.mark.parametrize(
    ("hostile", "complaint"),
    [
        (hostile_models.huge_tensor, "100,000,000,000 elements"),
        (hostile_models.overflowing_tensor, "impossible shape"),
        (hostile_models.negative_tensor, "impossible shape"),
        (hostile_models.tensor_of_rank_nine, "impossible shape"),
        (hostile_models.external_location_alone, "outside the file"),
        (hostile_models.short_tensor, "do not fit its shape"),
        (hostile_models.input_given_again, "has the inputs"),
        (hostile_models.second_graph, "graph twice"),
        (hostile_models.second_operator_name, "op_type twice"),
        (hostile_models.no_graph, "no graph"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_hostile_graph_is_refused_for_just_what_it_does(hostile, complaint):
    with pytest.raises(BundleError, match=complaint):
        scan_model(hostile(), INFO)


@settings(max_examples=400)
@given(st.data())
def test_a_changed_byte_passes_or_is_refused_with_a_typed_error(data):
    model = bytearray(tiny_model())
    position = data.draw(st.integers(0, len(model) - 1))
    model[position] ^= data.draw(st.integers(1, 255))

    scan_or_refuse(bytes(model))


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_refused_with_a_typed_error(data):
    with pytest.raises(BundleError):
        scan_model(data, INFO)


@given(st.integers(0, 2**64 - 1))
def test_numbers_are_read_as_protobuf_writes_them(number):
    encoded = varint(number)

    assert read_varint(memoryview(encoded), 0, what="x") == (number, len(encoded))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\x01"])
def test_a_number_that_ends_nowhere_or_above_64_bits_is_refused(data):
    with pytest.raises(BundleFormatError):
        read_varint(memoryview(data), 0, what="x")


def test_a_number_of_64_bits_may_stand_for_a_negative_one():
    assert signed(2**64 - 1) == -1
    assert signed(2**63 - 1) == 2**63 - 1


@pytest.mark.parametrize(
    "data",
    [
        b"\x0b",  # field 1 opens a group
        b"\x10\x01",  # field 2 is not in the schema
        b"\x0a\x05ab",  # five bytes are promised, two come
        b"\x0a\x01a\x0a\x01b",  # twice
        b"\x08\x01",  # a number where bytes should be
        b"\x0d\x00\x00",  # four bytes are promised, two come
    ],
)
def test_a_message_outside_its_schema_is_refused(data):
    with pytest.raises(BundleFormatError):
        list(read_message(memoryview(data), {1: Field("only")}, what="x"))


def scan_or_refuse(data: bytes) -> None:
    with contextlib.suppress(BundleError):
        scan_model(data, INFO)


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
