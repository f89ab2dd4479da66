"""The curves as a report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from shelfrank_training.evaluate.curves.advice import (
    KEEP,
    advice,
    in_per_cent,
    main_figure,
    per_cent,
)
from shelfrank_training.evaluate.curves.lines import COLOURS, Level, Line, Spot, line_panel
from shelfrank_training.evaluate.curves.measuring import METRICS
from shelfrank_training.evaluate.curves.result import CAUTION
from shelfrank_training.evaluate.panel import ACCENT, INK, MUTED
from shelfrank_training.evaluate.report import (
    Block,
    Caution,
    Drawing,
    Drawings,
    Facts,
    KeyFigure,
    KeyFigures,
    Prose,
    Section,
    Table,
    write_report,
)
from shelfrank_training.evaluate.sections import metric_name, with_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from shelfrank_training.evaluate.bootstrap import Estimate
    from shelfrank_training.evaluate.curves.result import Curves, Point
    from shelfrank_training.evaluate.tally import Scope

_HEADINGS: Final[dict[Scope, str]] = {"new": "New items", "all": "All targets"}
_TEXTS: Final[dict[Scope, str]] = {
    "new": (
        "Only items that the history does not name, ranked among such items: here a model has "
        "nothing but what it learned from other shoppers."
    ),
    "all": (
        "All that followed counts, what the shopper had before included. Most of that is foreseen "
        "from the device's own history, as far as the model holds the item at all."
    ),
}
_MARKERS: Final = ("o", "s", "^", "D", "v")
_NO_NOISE: Final = "none"
_UPRIGHT: Final = f"{metric_name(METRICS[0])}, share of the unprotected"

# On an axis where a factor of ten is 1: how far right of the least noise none at all stands.
_APART: Final = 0.35


def write_curves(path: Path, curves: Curves) -> None:
    """Write the report (see `shelfrank_training.evaluate.report`).

    Raises:
        DataError: the file cannot be written.
    """
    write_report(
        path,
        curve_sections(curves),
        title="What protection costs",
        lead=(
            "Quality against epsilon, min_shoppers and the number of shoppers, on "
            f"{curves.events}, cutoff {curves.cutoff:%d %B %Y}."
        ),
        foot=CAUTION,
    )


def curve_sections(curves: Curves) -> list[Section]:
    """Return the report: what to choose, the curves, every figure, how it was measured."""
    return [
        Section("", [_key(curves), Caution(CAUTION)]),
        Section("What to choose", [Prose(text) for text in advice(curves)]),
        *(_plots(curves, scope) for scope in curves.scopes),
        Section("Every figure", list(_tables(curves))),
        Section("How it was measured", [*_method(curves), Facts(_facts(curves))]),
    ]


def _key(curves: Curves) -> KeyFigures:
    scope = curves.scopes[0]
    quality = main_figure(curves.unprotected.quality, scope)
    popular = main_figure(curves.popularity, scope)
    return KeyFigures(
        [
            KeyFigure(
                f"{quality.value:.3f}",
                f"NDCG@20 without protection, {_HEADINGS[scope].lower()}",
                f"Popularity reaches {in_per_cent(popular)} of it.",
            ),
            KeyFigure(
                f"{curves.n_shoppers:,}",
                "shoppers to learn from",
                "Before the cutoff, not kept out.",
            ),
            KeyFigure(
                f"{curves.measured[scope]:,}",
                "shoppers measured",
                "The same for every model; no model was made from them.",
            ),
            KeyFigure(f"{curves.n_items:,}", "items compete", "What a model lacks stays a miss."),
        ]
    )


def _plots(curves: Curves, scope: Scope) -> Section:
    panels = [
        _against_min_shoppers(curves, scope),
        _against_shoppers(curves, scope),
    ]
    if curves.epsilons:
        panels.insert(0, _against_epsilon(curves, scope))
    caption = (
        f"Share of the unprotected model's NDCG@20, {curves.measured[scope]:,} shoppers. Vertical "
        "lines are 95 % intervals over shoppers and draws of noise together. The black line is "
        f"100 %, the grey one {per_cent(KEEP)}. Dashed and hollow is an extrapolation: as if that "
        "many shoppers behaved like these."
    )
    return Section(
        _HEADINGS[scope], [Prose(_TEXTS[scope]), Drawings(panels=panels, caption=caption)]
    )


def _levels(curves: Curves, scope: Scope) -> list[Level]:
    popular = main_figure(curves.popularity, scope).value
    return [
        Level(share=1.0, colour=INK),
        Level(share=KEEP, label=per_cent(KEEP), colour=MUTED),
        Level(share=popular, label="popularity, unprotected", colour=MUTED, dotted=True),
    ]


def _against_epsilon(curves: Curves, scope: Scope) -> Drawing:
    points = curves.against_epsilon()
    least = max(curves.epsilons)

    def place(point: Point) -> float:
        epsilon = point.setting.epsilon
        return math.log10(least) + _APART if epsilon is None else math.log10(epsilon)

    ticks = [
        (place(p), _NO_NOISE if p.setting.epsilon is None else f"{p.setting.epsilon:g}")
        for p in points
    ]
    title = f"Against epsilon, min_shoppers {curves.min_shoppers}"
    return Drawing(
        line_panel(
            title,
            _model_and_popularity(points, scope, place),
            upright=_UPRIGHT,
            ticks=ticks,
            axis="epsilon (smaller hides more)",
            levels=_levels(curves, scope),
        ),
        f"{title}: {_told(points, scope, _epsilon_text)}",
    )


def _against_min_shoppers(curves: Curves, scope: Scope) -> Drawing:
    points = curves.against_min_shoppers()

    def place(point: Point) -> float:
        return math.log10(point.setting.min_shoppers)

    title = "Against min_shoppers, without noise"
    return Drawing(
        line_panel(
            title,
            _model_and_popularity(points, scope, place),
            upright=_UPRIGHT,
            ticks=[(place(point), f"{point.setting.min_shoppers}") for point in points],
            axis="shoppers behind every number, at least",
            levels=_levels(curves, scope),
        ),
        f"{title}: {_told(points, scope, lambda p: f'{p.setting.min_shoppers}')}",
    )


def _against_shoppers(curves: Curves, scope: Scope) -> Drawing:
    protections = [
        ("no protection", INK, curves.against_shoppers(min_shoppers=1, epsilon=None)),
        (
            f"min_shoppers {curves.min_shoppers}",
            MUTED,
            curves.against_shoppers(min_shoppers=curves.min_shoppers, epsilon=None),
        ),
        *(
            (
                f"epsilon {epsilon:g}",
                COLOURS[at % len(COLOURS)],
                curves.against_shoppers(min_shoppers=curves.min_shoppers, epsilon=epsilon),
            )
            for at, epsilon in enumerate(curves.epsilons)
        ),
    ]
    if curves.min_shoppers == 1:
        del protections[1]

    def place(point: Point) -> float:
        return math.log10(point.setting.multiple)

    lines = [
        Line(
            label=label,
            spots=[_spot(point, point.share[scope][METRICS[0]], place) for point in points],
            colour=colour,
            marker=_MARKERS[at % len(_MARKERS)],
        )
        for at, (label, colour, points) in enumerate(protections)
    ]
    seen = {
        point.setting.multiple: point.n_shoppers for _, _, points in protections for point in points
    }
    title = "Against the number of shoppers"
    return Drawing(
        line_panel(
            title,
            lines,
            upright=_UPRIGHT,
            ticks=[(math.log10(multiple), _short(n)) for multiple, n in sorted(seen.items())],
            axis="shoppers learned from",
            levels=_levels(curves, scope),
        ),
        f"{title}: "
        + "; ".join(
            f"{label}: {_told(points, scope, lambda p: f'{p.n_shoppers:,} shoppers')}"
            for label, _, points in protections
        ),
    )


def _model_and_popularity(
    points: Sequence[Point], scope: Scope, place: Callable[[Point], float]
) -> list[Line]:
    return [
        Line(
            label="model",
            spots=[_spot(point, point.share[scope][METRICS[0]], place) for point in points],
            colour=ACCENT,
        ),
        Line(
            label="popularity, as protected",
            spots=[_spot(point, point.popularity[scope][METRICS[0]], place) for point in points],
            colour=MUTED,
            marker="s",
        ),
    ]


def _spot(point: Point, share: Estimate, place: Callable[[Point], float]) -> Spot:
    return Spot(x=place(point), share=share, extrapolated=point.setting.extrapolated)


def _told(points: Sequence[Point], scope: Scope, name: Callable[[Point], str]) -> str:
    return "; ".join(
        f"{name(point)} {in_per_cent(point.share[scope][METRICS[0]])}" for point in points
    )


def _short(n: int) -> str:
    """Return a number as a tick has room for: ``950``, ``2.4k``, ``28k``."""
    if n < 1_000:
        return f"{n}"
    return f"{n / 1_000:.1f}k" if n < 9_950 else f"{n / 1_000:.0f}k"


def _epsilon_text(point: Point) -> str:
    return _NO_NOISE if point.setting.epsilon is None else f"{point.setting.epsilon:g}"


def _tables(curves: Curves) -> Iterator[Block]:
    for scope in curves.scopes:
        yield Table(
            columns=[
                _HEADINGS[scope],
                "items",
                "NDCG@20",
                *(f"share of {metric_name(name)}" for name in METRICS),
                "popularity, as protected",
                "ahead of it",
            ],
            rows=[_row(point, scope) for point in curves.points],
            caption=(
                f"{curves.measured[scope]:,} shoppers. Shares are of the unprotected model's "
                "figure, in the first row. Popularity is the popularity part of the same model "
                "alone; it and the lead over it are shares of NDCG@20. Rows with more than 100 % "
                "of the shoppers are an extrapolation."
            ),
            strong_column=3,
        )


def _row(point: Point, scope: Scope) -> list[str]:
    return [
        describe(point),
        f"{point.n_items:,.0f}",
        f"{point.quality[scope][METRICS[0]].value:.3f}",
        *(
            in_per_cent(point.share[scope][name]) if name in point.share[scope] else "–"
            for name in METRICS
        ),
        in_per_cent(point.popularity[scope][METRICS[0]]),
        with_interval(point.ahead[scope][METRICS[0]], signed=True),
    ]


def describe(point: Point) -> str:
    """Return how people write a setting: ``300 % of the shoppers (5,988): min_shoppers 20``."""
    setting = point.setting
    if setting.min_shoppers == 1 and setting.epsilon is None:
        protection = "no protection"
    elif setting.epsilon is None:
        protection = f"min_shoppers {setting.min_shoppers}"
    else:
        protection = f"min_shoppers {setting.min_shoppers}, epsilon {setting.epsilon:g}"
    if setting.multiple == 1:
        return protection
    return f"{per_cent(setting.multiple)} of the shoppers ({point.n_shoppers:,}): {protection}"


def _method(curves: Curves) -> Iterator[Block]:
    yield Prose(
        "Every model was made from the shoppers that were not kept out, exported, signed with a "
        "throw-away key, verified as a device does and asked through the device's own ranker. All "
        "met the same shoppers, and all had to rank the same items: those that anybody took. An "
        "item that a protection leaves out can never be hit."
    )
    yield Prose(
        "A noisy model is a draw: its share is the mean over several, and its interval holds both "
        "the chance of who was measured and the chance of how the noise fell. Fewer shoppers are "
        "drawn without replacement, anew for each draw. More shoppers are whole copies of those at "
        "hand: what is new in a larger shop, rare items above all, is not in them."
    )
    for note in curves.notes:
        yield Prose(f"{note[:1].upper()}{note[1:]}.")


def _facts(curves: Curves) -> Sequence[tuple[str, str]]:
    out = curves.left_out
    noisy = [point for point in curves.points if point.setting.epsilon is not None]
    deltas = sorted({point.delta for point in noisy if point.delta is not None})
    here = [point.draws for point in noisy if point.setting.multiple == 1]
    elsewhere = [point.draws for point in noisy if point.setting.multiple != 1]
    draws = f"{max(here, default=0)}; {max(elsewhere, default=0)} with another number of shoppers"
    return [
        ("Events", curves.events),
        ("Cutoff", f"{curves.cutoff:%Y-%m-%d %H:%M} UTC"),
        ("Kept out of every model", f"{per_cent(curves.holdout.share)} of the shoppers"),
        (
            "Measured",
            (
                f"{curves.measured['all']:,}; left out: {out.without_history:,} without a history, "
                f"{out.without_targets:,} with nothing from the cutoff on, "
                f"{out.targets_outside_only:,} with unknown items only"
            ),
        ),
        ("Items a shopper contributes, without noise", f"at most {curves.max_items}"),
        ("Delta", ", ".join(f"{delta:.2g}" for delta in deltas) or "no noise was drawn"),
        ("Draws of noise", draws),
        ("Histories", curves.device_rules),
        (
            "Intervals",
            f"95 %, {curves.n_resamples:,} resamples of shoppers and draws, seed {curves.seed}",
        ),
    ]
