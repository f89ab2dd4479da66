"""Write nodes and constants into the skl2onnx container under readable names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from onnx import TensorProto
from onnx.helper import np_dtype_to_tensor_dtype

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from shelfrank_training.models.narrow import Coded

OPSET: Final = 18
"""Given to skl2onnx always: unasked, it picks opset 9."""

FLOAT: Final = int(TensorProto.FLOAT)
INT64: Final = int(TensorProto.INT64)


class Scope(Protocol):
    """What we use of skl2onnx's scope."""

    def get_unique_variable_name(self, seed: str) -> str:
        """Return a name that no other variable has."""
        ...

    def get_unique_operator_name(self, seed: str) -> str:
        """Return a name that no other node has."""
        ...


class Container(Protocol):
    """What we use of skl2onnx's container."""

    def add_initializer(
        self, name: str, onnx_type: int, shape: Sequence[int], content: object
    ) -> object:
        """Add a constant."""
        ...

    def add_node(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: object
    ) -> object:
        """Add a node."""
        ...


class GraphWriter:
    """Add nodes one by one; every method returns the name of what it made.

    Args:
        scope: gives unique names.
        container: takes nodes and constants.
        prefix: of every name, so that a profile of the graph says which part a node belongs to.
    """

    def __init__(self, scope: Scope, container: Container, *, prefix: str) -> None:
        self._scope = scope
        self._container = container
        self._prefix = prefix

    def constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        """Add a constant of the array's own type and shape."""
        full = self._scope.get_unique_variable_name(f"{self._prefix}_{name}")
        kind = np_dtype_to_tensor_dtype(value.dtype)
        raw = np.ascontiguousarray(value)
        from onnx import numpy_helper

        tensor = numpy_helper.from_array(raw, full)
        self._container.add_initializer(full, int(kind), list(raw.shape), tensor)
        return full

    def number(self, name: str, value: float) -> str:
        """Add a float32 constant without dimensions."""
        return self.constant(name, np.array(value, dtype=np.float32))

    def integers(self, name: str, *values: int) -> str:
        """Add an int64 vector."""
        return self.constant(name, np.array(values, dtype=np.int64))

    def node(self, op: str, *inputs: str, **attributes: object) -> str:
        """Add a node with one output."""
        return self.nodes(op, *inputs, outputs=1, **attributes)[0]

    def nodes(self, op: str, *inputs: str, outputs: int, **attributes: object) -> list[str]:
        """Add a node with several outputs."""
        names = [
            self._scope.get_unique_variable_name(f"{self._prefix}_{op.lower()}")
            for _ in range(outputs)
        ]
        self._add(op, inputs, names, attributes)
        return names

    def into(self, output: str, op: str, *inputs: str, **attributes: object) -> None:
        """Add a node whose output has the name given."""
        self._add(op, inputs, [output], attributes)

    def _add(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], attributes: dict[str, object]
    ) -> None:
        name = self._scope.get_unique_operator_name(f"{self._prefix}_{op}")
        self._container.add_node(
            op, list(inputs), list(outputs), op_version=OPSET, name=name, **attributes
        )

    def to_float(self, value: str) -> str:
        """Cast to float32."""
        return self.node("Cast", value, to=FLOAT)

    def to_int64(self, value: str) -> str:
        """Cast to int64: narrow indices are for storing, not for computing."""
        return self.node("Cast", value, to=INT64)

    def coded(self, name: str, numbers: Coded) -> str:
        """Return the float32 numbers that bytes stand for.

        They depend on constants alone, so onnxruntime computes them once, when it loads the graph:
        a row takes one byte in the file, or none where all rows have one number, and four in
        memory.
        """
        if numbers.levels.size == 1:
            size = self.integers("size", numbers.codes.size)
            return self.node("Expand", self.constant(f"{name}_level", numbers.levels), size)
        codes = self.to_int64(self.constant(f"{name}_code", numbers.codes))
        return self.node("Gather", self.constant(f"{name}_level", numbers.levels), codes, axis=0)

    def running_sum(self, value: str) -> str:
        """Return the running sum of a vector, each number included."""
        return self.node("CumSum", value, self.constant("axis", np.array(0, dtype=np.int64)))

    def pick(self, values: str, index: str) -> str:
        """Return single elements of a vector.

        Gather gives the same; onnxruntime's copies each element as a block, three times slower.
        """
        return self.node("GatherElements", values, index, axis=0)

    def scatter_add(self, size: int, index: str, values: str) -> str:
        """Return a float32 vector of `size` with `values` added up at `index`; both flat."""
        zeros = self.node("ConstantOfShape", self.integers("size", size))
        return self.node("ScatterElements", zeros, index, values, axis=0, reduction="add")

    def scatter_extreme(self, start: float, size: int, index: str, values: str, which: str) -> str:
        """Return a float32 vector of `size`, the ``min`` or ``max`` of `start` and its `values`."""
        filled = self.node("Expand", self.number("start", start), self.integers("size", size))
        return self.node("ScatterElements", filled, index, values, axis=0, reduction=which)

    def halved(self, age_days: str, half_life_days: float) -> str:
        """Return ``0.5 ** (age / half-life)``."""
        rate = self.number("decay_rate", -float(np.log(2)) / half_life_days)
        return self.node("Exp", self.node("Mul", age_days, rate))

    def log1p(self, value: str) -> str:
        """Return ``log(1 + value)``."""
        return self.node("Log", self.node("Add", value, self.number("one", 1.0)))
