"""What the curves say, in plain words: which protection keeps the quality, and what it would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shelfrank_training.evaluate.curves.measuring import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shelfrank_training.evaluate.bootstrap import Estimate
    from shelfrank_training.evaluate.curves.result import Curves, Figures, Point
    from shelfrank_training.evaluate.tally import Scope

KEEP: Final = 0.92
"""Share of the unprotected quality that a protection should keep: the aim that noise at epsilon 3
was built for, in shops of 28,000 shoppers or more."""


def advice(curves: Curves) -> Iterator[str]:
    """Yield one sentence or two about epsilon and about `min_shoppers`, and what weakens them."""
    if not curves.scopes:
        return
    scope = curves.scopes[0]
    yield from _warnings(curves, scope)
    yield _about_min_shoppers(curves, scope)
    if curves.epsilons:
        yield _about_epsilon(curves, scope)


def keeps(point: Point, scope: Scope) -> bool:
    """Say whether a protection keeps `KEEP` of the unprotected quality."""
    return main_figure(point.share, scope).value >= KEEP


def main_figure(figures: Figures, scope: Scope) -> Estimate:
    """Return the figure that decides."""
    return figures[scope][METRICS[0]]


def in_per_cent(figure: Estimate) -> str:
    """Return a share and its interval: ``94 % (91 to 96)``."""
    value, low, high = (100 * end for end in (figure.value, figure.low, figure.high))
    return f"{value:.0f} % ({low:.0f} to {high:.0f})"


def scope_name(scope: Scope) -> str:
    """Return how people write a scope."""
    return "new items" if scope == "new" else "all items"


def _warnings(curves: Curves, scope: Scope) -> Iterator[str]:
    popular = main_figure(curves.popularity, scope)
    if popular.high >= 1:
        yield (
            f"On {scope_name(scope)} the unprotected model is not surely ahead of popularity, which "
            f"reaches {in_per_cent(popular)} of it: on these {curves.measured[scope]:,} shoppers "
            "the shares below say little about what is personal."
        )


def _about_min_shoppers(curves: Curves, scope: Scope) -> str:
    points = curves.against_min_shoppers()
    good = [point for point in points if keeps(point, scope)]
    best = max(good, key=lambda point: point.setting.min_shoppers)
    share = in_per_cent(main_figure(best.share, scope))
    kept = f"of the unprotected NDCG@20 on {scope_name(scope)}"
    if best.setting.min_shoppers == 1:
        return (
            f"No min_shoppers above 1 keeps {KEEP:.0%} {kept}: with {curves.n_shoppers:,} shoppers, "
            f"{_listed(points[1:], scope, 'min_shoppers')}."
        )
    return f"min_shoppers {best.setting.min_shoppers} keeps {share} {kept}."


def _about_epsilon(curves: Curves, scope: Scope) -> str:
    points = [p for p in curves.against_epsilon() if p.setting.epsilon is not None]
    good = [point for point in points if keeps(point, scope)]
    kept = f"of the unprotected NDCG@20 on {scope_name(scope)}"
    if good:
        best = good[0]
        more = [p for p in points if (p.setting.epsilon or 0) < (best.setting.epsilon or 0)]
        below = f"; {_listed(more, scope, 'epsilon')}" if more else ""
        share = in_per_cent(main_figure(best.share, scope))
        return f"Epsilon {best.setting.epsilon:g} keeps {share} {kept}{below}. {_needed(curves, more, scope)}".strip()
    return (
        f"No epsilon that was tried keeps {KEEP:.0%} {kept}: {curves.n_shoppers:,} shoppers are too "
        f"few for the noise that hides one of them; {_listed(points, scope, 'epsilon')}. "
        f"{_needed(curves, points, scope)}"
    ).strip()


def _listed(points: Sequence[Point], scope: Scope, name: str) -> str:
    def value(point: Point) -> float:
        return (
            point.setting.min_shoppers if name == "min_shoppers" else (point.setting.epsilon or 0)
        )

    return ", ".join(
        f"{name} {value(point):g} keeps {main_figure(point.share, scope).value:.0%}"
        for point in points
    )


def _needed(curves: Curves, missed: Sequence[Point], scope: Scope) -> str:
    """Say how many shoppers it would take, by the extrapolation."""
    sentences = []
    for point in missed:
        epsilon = point.setting.epsilon
        line = curves.against_shoppers(min_shoppers=curves.min_shoppers, epsilon=epsilon)
        more = [p for p in line if p.setting.extrapolated]
        enough = next((p for p in more if keeps(p, scope)), None)
        if enough is not None:
            sentences.append(
                f"epsilon {epsilon:g} would with about {enough.n_shoppers:,} shoppers "
                f"(×{enough.setting.multiple:g})"
            )
        elif more:
            sentences.append(f"epsilon {epsilon:g} not even with {more[-1].n_shoppers:,}")
    if not sentences:
        return ""
    return f"If more shoppers behaved like these: {'; '.join(sentences)}."
