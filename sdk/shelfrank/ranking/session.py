"""The one place where onnxruntime is loaded: late, guarded, and only for bytes already verified.

Training's parity check and golden vectors go through this module too, so that both ends run the
same code.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank.errors import ModelMismatchError, RuntimeGuardError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import onnxruntime

TELEMETRY_SWITCH: Final = "ORT_DISABLE_TELEMETRY"

_GUARDED_IMPORT: Final = "_shelfrank_guarded_import"

# One thread: a ranking of 1,000 candidates takes well under a millisecond, waking a pool costs
# more, and a float sum split over threads would depend on their number.
THREADS: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphInputs:
    """What the graph is asked, one array an input. E events, C candidates.

    Attributes:
        event_item: int64, shape (E,), 0..n_items-1.
        event_kind: int64, shape (E,), `shelfrank.types.KIND_CODES`.
        event_age_days: float32, shape (E,), not negative.
        event_visit: int64, shape (E,), 0 = the current visit, 1 = the one before …
        event_rank: int64, shape (E,), 0 = newest; equal means unordered.
        event_quantity: float32, shape (E,).
        candidate: int64, shape (C,), 0..n_items-1 an item of the catalog, n_items+c any item of
            category c, n_items+n_categories an item of no known category.
        situation: int64, shape (1,): 0 no history, 1 a visit starts, 2 in a visit.
        daypart: int64, shape (1,): -1 unknown, else the place in `shelfrank.types.DAYPARTS`.
    """

    event_item: npt.NDArray[np.int64]
    event_kind: npt.NDArray[np.int64]
    event_age_days: npt.NDArray[np.float32]
    event_visit: npt.NDArray[np.int64]
    event_rank: npt.NDArray[np.int64]
    event_quantity: npt.NDArray[np.float32]
    candidate: npt.NDArray[np.int64]
    situation: npt.NDArray[np.int64]
    daypart: npt.NDArray[np.int64]

    def __repr__(self) -> str:
        """Say the sizes only: the arrays are a history."""
        return f"<GraphInputs {self.event_item.size} events, {self.candidate.size} candidates>"

    @classmethod
    def of(cls, values: Mapping[str, Sequence[float]]) -> GraphInputs:
        """Make the arrays from plain numbers by name, as golden vectors hold them.

        Raises:
            KeyError: an input is missing.
            ValueError: a value is no number of the input's type.
        """

        def whole(name: str) -> npt.NDArray[np.int64]:
            return np.array(values[name], dtype=np.int64)

        def real(name: str) -> npt.NDArray[np.float32]:
            return np.array(values[name], dtype=np.float32)

        return cls(
            event_item=whole("event_item"),
            event_kind=whole("event_kind"),
            event_age_days=real("event_age_days"),
            event_visit=whole("event_visit"),
            event_rank=whole("event_rank"),
            event_quantity=real("event_quantity"),
            candidate=whole("candidate"),
            situation=whole("situation"),
            daypart=whole("daypart"),
        )

    def feed(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the arrays by the names the graph gives its inputs."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def only(self, events: npt.NDArray[np.bool_]) -> GraphInputs:
        """Return the same question about some of the events.

        Args:
            events: shape (E,), True for those that stay; ranks and visits keep their numbers.
        """
        kept = {
            field.name: getattr(self, field.name)[events]
            if field.name.startswith("event_")
            else getattr(self, field.name)
            for field in fields(self)
        }
        return GraphInputs(**kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOutputs:
    """What the graph answers.

    Attributes:
        score: float32, shape (C,); higher is better.
        parts: float32, shape (C, P); ``score == parts.sum(axis=1)`` within the manifest's
            tolerance.
    """

    score: npt.NDArray[np.float32]
    parts: npt.NDArray[np.float32]


def require_guarded_runtime() -> None:
    """Refuse to go on unless onnxruntime's telemetry is known to be off.

    onnxruntime 1.29 and later writes a device id and an upload queue on import unless
    ``ORT_DISABLE_TELEMETRY=1`` was set before. Importing `shelfrank` sets it; that is too late when
    the host imported onnxruntime first, and an explicit other value is the host's word against it.

    Raises:
        RuntimeGuardError: the switch is not ``1``, or onnxruntime was loaded before the guard.
    """
    value = os.environ.get(TELEMETRY_SWITCH)
    if value != "1":
        raise RuntimeGuardError(
            f"{TELEMETRY_SWITCH} is {value!r}, wanted '1'",
            hint=f"set {TELEMETRY_SWITCH}=1, or leave it unset, before the process starts",
        )
    module = sys.modules.get("onnxruntime")
    if module is not None and not hasattr(module, _GUARDED_IMPORT):
        raise RuntimeGuardError(
            "onnxruntime was imported before shelfrank could switch its telemetry off",
            hint="import shelfrank first",
        )


def _runtime() -> object:
    require_guarded_runtime()
    import onnxruntime  # 0.1-0.4 s and 60 MB: only who ranks pays for it.

    setattr(onnxruntime, _GUARDED_IMPORT, True)
    # The second switch: the only one that some Windows builds listen to.
    onnxruntime.disable_telemetry_events()
    return onnxruntime


class Session:
    """One loaded graph, safe to share between threads.

    Pure: the same question gives the same answer.

    Args:
        model: bytes of an ONNX model that were verified and scanned.

    Raises:
        RuntimeGuardError: see `require_guarded_runtime`.
        ModelMismatchError: onnxruntime cannot load the bytes.
    """

    def __init__(self, model: bytes) -> None:
        _runtime()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = THREADS
        options.log_severity_level = 4
        try:
            self._session: onnxruntime.InferenceSession = onnxruntime.InferenceSession(
                model, sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001 - onnxruntime's own types are not public
            raise ModelMismatchError(
                f"onnxruntime cannot load the model ({type(error).__name__})"
            ) from None

    def run(self, inputs: GraphInputs) -> GraphOutputs:
        """Score the candidates.

        Args:
            inputs: indices must be inside the catalog; `shelfrank.ranking.inputs` sees to it.

        Raises:
            ModelMismatchError: onnxruntime failed, or a score is not finite. The cause is cut off,
                because onnxruntime's messages hold indices of the history.
        """
        try:
            score, parts = self._session.run(["score", "parts"], inputs.feed())
        except Exception as error:  # noqa: BLE001 - onnxruntime's own types are not public
            raise ModelMismatchError(f"the graph failed ({type(error).__name__})") from None
        if not (np.isfinite(score).all() and np.isfinite(parts).all()):
            raise ModelMismatchError("the graph gave a score that is not finite")
        return GraphOutputs(score=score, parts=parts)
