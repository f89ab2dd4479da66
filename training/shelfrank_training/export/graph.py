"""One checked ONNX graph from a fitted blend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank.ranking.session import GraphInputs, Session
from shelfrank.types import DAYPARTS
from shelfrank_training.errors import ExportError, ParityError
from shelfrank_training.export.writer import OPSET
from shelfrank_training.models.blend import N_SITUATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shelfrank_training.models.blend import Blend

IR_VERSION: Final = 10
"""Written into the graph; onnxruntime 1.20, the floor, reads up to 10."""

TOLERANCE: Final = 1e-4
"""Most that graph and estimators may differ on any part, absolute. Scores are around 10, float32
holds seven digits, and the sums are over at most some hundred terms; seen: below 5e-5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A graph that agrees with its estimators.

    Attributes:
        model: the ONNX bytes.
        probes: the questions it was checked on, made up.
        difference: the largest absolute difference seen.
    """

    model: bytes
    probes: tuple[GraphInputs, ...]
    difference: float


def export(blend: Blend, *, rng: np.random.Generator) -> Exported:
    """Convert a fitted blend and hold the graph against it.

    Args:
        blend: fitted.
        rng: makes up the histories that graph and estimators are compared on; it protects nobody,
            so a seeded one is right.

    Raises:
        ExportError: skl2onnx cannot convert.
        ParityError: graph and estimators disagree by more than `TOLERANCE`.
    """
    model = convert(blend)
    probes = made_up_questions(blend, rng=rng)
    return Exported(model=model, probes=probes, difference=check_parity(blend, model, probes))


def convert(blend: Blend) -> bytes:
    """Return the ONNX bytes of a fitted blend; not checked yet.

    Raises:
        ExportError: skl2onnx cannot convert.
    """
    from skl2onnx import convert_sklearn  # seconds: only who exports pays for it.

    from shelfrank_training.export import converters

    converters.register()
    try:
        graph = convert_sklearn(
            blend,
            name="shelfrank",
            initial_types=converters.initial_types(),
            target_opset={"": OPSET},
        )
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        raise ExportError(f"skl2onnx cannot convert the model ({error})") from error
    graph.ir_version = IR_VERSION
    serialized: bytes = graph.SerializeToString(deterministic=True)
    return serialized


def check_parity(blend: Blend, model: bytes, probes: Sequence[GraphInputs]) -> float:
    """Run graph and estimators on the same questions, through the device's own session.

    Returns:
        The largest absolute difference of any part or score; at most `TOLERANCE`.

    Raises:
        ParityError: they differ by more.
        ModelMismatchError: the graph does not load or run.
    """
    session = Session(model)
    worst = 0.0
    for probe in probes:
        got, wanted = session.run(probe), blend.score_candidates(probe)
        for ours, theirs in ((got.parts, wanted.parts), (got.score, wanted.score)):
            # Not Python's max, which would pass over a difference that is no number.
            worst = float(np.maximum(worst, np.abs(ours - theirs).max(initial=0)))
    if not worst <= TOLERANCE:
        raise ParityError(
            f"graph and estimators differ by {worst:.3g}, at most {TOLERANCE:.3g} allowed",
            difference=worst,
            tolerance=TOLERANCE,
        )
    return worst


# Events and candidates of each made-up question: nothing at all, no history, no candidates, one of
# each, an ordinary shopper, and one with a long history; every situation occurs.
_SIZES: Final = ((0, 0), (0, 50), (5, 0), (1, 1), (20, 60), (300, 1000))

_ORDINARY: Final = 2
"""The last of them, in which every part says something."""

# A list that is asked at each daypart: the bundle holds the answers, so it is short.
_FEW_CANDIDATES: Final = 12

_VISITS: Final = 12
_OLDEST_DAYS: Final = 400.0


def made_up_questions(blend: Blend, *, rng: np.random.Generator) -> tuple[GraphInputs, ...]:
    """Return questions over random rows: every kind, category rows and the unknown row included.

    Where the weights depend on the situation, ordinary and long histories are asked about in all.
    Where the popularity depends on the daypart, a long list and a short one are asked at each.
    """
    asked = tuple(
        made_up_question(blend, n_events=events, n_candidates=candidates, rng=rng)
        for events, candidates in _SIZES
    )
    ordinary = asked[-_ORDINARY:]
    if blend.is_weighted:
        asked += tuple(
            replace(question, situation=np.array([situation], dtype=np.int64))
            for question in ordinary
            for situation in range(N_SITUATIONS)
            if situation != question.situation[0]
        )
    if blend.reads_dayparts:
        few = made_up_question(blend, n_events=1, n_candidates=_FEW_CANDIDATES, rng=rng)
        asked += tuple(
            replace(question, daypart=np.array([daypart], dtype=np.int64))
            for question in (few, ordinary[-1])
            for daypart in range(len(DAYPARTS))
        )
    return asked


def made_up_question(
    blend: Blend, *, n_events: int, n_candidates: int, rng: np.random.Generator
) -> GraphInputs:
    """Return one question over random rows; see `made_up_questions`."""
    from shelfrank.types import KINDS

    visit = np.sort(rng.integers(0, _VISITS, n_events))
    space = blend.space_
    return GraphInputs(
        event_item=rng.integers(0, space.n_items, n_events),
        event_kind=rng.integers(0, len(KINDS), n_events),
        event_age_days=rng.uniform(0, _OLDEST_DAYS, n_events).astype(np.float32),
        event_visit=visit,
        event_rank=np.arange(n_events, dtype=np.int64),
        event_quantity=np.ones(n_events, dtype=np.float32),
        candidate=rng.integers(0, space.n_rows, n_candidates),
        situation=np.array([rng.integers(0, 3)], dtype=np.int64),
        daypart=np.array([-1], dtype=np.int64),
    )
