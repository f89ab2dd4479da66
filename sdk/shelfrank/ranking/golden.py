"""Golden vectors: a bundle must score as its publisher saw it score, on this very machine.

``golden.json``: ``{"cases": [{"inputs": {name: [numbers]}, "parts": [[numbers]]}]}``; histories in
it are made up. They are run before a bundle is used: another processor, another onnxruntime or a
graph that was swapped under the same manifest shows here and not in front of a shopper.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank.errors import BundleFormatError, ModelMismatchError
from shelfrank.ranking.session import GraphInputs

if TYPE_CHECKING:
    import numpy.typing as npt

    from shelfrank.ranking.session import Session

MAX_CASES: Final = 16
"""Enough for every situation; each costs a run when a bundle is opened."""


def check_golden(session: Session, golden: bytes, *, tolerance: float) -> None:
    """Run the golden vectors and compare.

    Args:
        session: of the bundle's model.
        golden: bytes of ``golden.json``.
        tolerance: the manifest's, absolute, on each part.

    Raises:
        BundleFormatError: the file is not golden vectors.
        ModelMismatchError: a part differs by more than `tolerance`, or the parts do not add up.
    """
    for number, (inputs, wanted) in enumerate(_parse(golden)):
        outputs = session.run(inputs)
        if outputs.parts.shape != wanted.shape:
            raise ModelMismatchError(
                f"golden vector {number} gave parts of shape {outputs.parts.shape}, "
                f"wanted {wanted.shape}"
            )
        difference = float(np.abs(outputs.parts - wanted).max(initial=0))
        sums = float(np.abs(outputs.parts.sum(axis=1) - outputs.score).max(initial=0))
        worst = float(np.maximum(difference, sums))
        if not worst <= tolerance:  # So that a vector that is no number matches nothing.
            raise ModelMismatchError(
                f"golden vector {number} is off by {worst:.3g}, at most {tolerance:.3g} allowed"
            )


def _parse(golden: bytes) -> list[tuple[GraphInputs, npt.NDArray[np.float32]]]:
    try:
        cases = json.loads(golden)["cases"]
        parsed = [(_inputs(case["inputs"]), _floats(case["parts"])) for case in cases[:MAX_CASES]]
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BundleFormatError(
            f"golden.json is not golden vectors ({type(error).__name__})"
        ) from None
    if not 1 <= len(cases) <= MAX_CASES:
        raise BundleFormatError(f"golden.json has {len(cases)} cases, wanted 1 to {MAX_CASES}")
    return parsed


def _inputs(case: dict[str, list[float]]) -> GraphInputs:
    return GraphInputs.of(case)


def _floats(rows: list[list[float]]) -> npt.NDArray[np.float32]:
    return np.array(rows, dtype=np.float32)
