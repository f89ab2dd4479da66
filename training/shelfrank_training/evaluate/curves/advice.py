"""What the curves say in plain words: which protection keeps the quality, what it would take."""

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
    """Yield what weakens the shares, then one statement on `min_shoppers` and one on epsilon."""
    scope = curves.scopes[0]
    popular = main_figure(curves.popularity, scope)
    if popular.high >= 1:
        yield (
            f"On {scope_name(scope)} the unprotected model is not surely ahead of popularity, "
            f"which reaches {in_per_cent(popular)} of it: with {curves.measured[scope]:,} shoppers "
            "measured, the shares say little about what is personal."
        )
    yield _about_min_shoppers(curves, scope)
    if curves.epsilons:
        yield _about_epsilon(curves, scope)


def keeps(point: Point, scope: Scope) -> bool:
    """Say whether a protection keeps `KEEP` of the unprotected quality."""
    return main_figure(point.share, scope).value >= KEEP


def main_figure(figures: Figures, scope: Scope) -> Estimate:
    """Return the figure that decides."""
    return figures[scope][METRICS[0]]


def per_cent(share: float) -> str:
    """Return a share as people write it: ``94 %``."""
    return f"{100 * share:.0f} %"


def in_per_cent(figure: Estimate) -> str:
    """Return a share and its interval: ``94 % (91 to 96)``."""
    return f"{per_cent(figure.value)} ({100 * figure.low:.0f} to {100 * figure.high:.0f})"


def scope_name(scope: Scope) -> str:
    """Return how people write a scope."""
    return "new items" if scope == "new" else "all items"


def _about_min_shoppers(curves: Curves, scope: Scope) -> str:
    points = curves.against_min_shoppers()
    best = max(
        (point for point in points if keeps(point, scope)),
        key=lambda point: point.setting.min_shoppers,
    )
    of = f"of the unprotected NDCG@20 on {scope_name(scope)}"
    if best.setting.min_shoppers == 1:
        shares = _listed([("min_shoppers", p.setting.min_shoppers, p) for p in points[1:]], scope)
        return (
            f"No min_shoppers above 1 keeps {per_cent(KEEP)} {of}: {curves.n_shoppers:,} shoppers "
            f"are too few; {shares}."
        )
    share = in_per_cent(main_figure(best.share, scope))
    return f"min_shoppers {best.setting.min_shoppers} keeps {share} {of}, without noise."


def _about_epsilon(curves: Curves, scope: Scope) -> str:
    points = [(p.setting.epsilon, p) for p in curves.against_epsilon() if p.setting.epsilon]
    good = [(epsilon, point) for epsilon, point in points if keeps(point, scope)]
    missed = [(epsilon, point) for epsilon, point in points if not good or epsilon < good[0][0]]
    of = f"of the unprotected NDCG@20 on {scope_name(scope)}"
    shares = _listed([("epsilon", epsilon, point) for epsilon, point in missed], scope)
    if good:
        epsilon, point = good[0]
        said = f"Epsilon {epsilon:g} keeps {in_per_cent(main_figure(point.share, scope))} {of}"
        said += f"; {shares}." if missed else ", and no smaller one was tried."
    else:
        said = (
            f"No epsilon that was tried keeps {per_cent(KEEP)} {of}: {curves.n_shoppers:,} "
            f"shoppers are too few for noise that hides any one of them; {shares}."
        )
    return f"{said} {_needed(curves, [epsilon for epsilon, _ in missed], scope)}".strip()


def _listed(shares: Sequence[tuple[str, float, Point]], scope: Scope) -> str:
    return ", ".join(
        f"{name} {value:g} keeps {per_cent(main_figure(point.share, scope).value)}"
        for name, value, point in shares
    )


def _needed(curves: Curves, epsilons: Sequence[float], scope: Scope) -> str:
    """Say how many shoppers it would take, by the extrapolation."""
    said = []
    for epsilon in epsilons:
        line = curves.against_shoppers(min_shoppers=curves.min_shoppers, epsilon=epsilon)
        more = [point for point in line if point.setting.extrapolated]
        enough = next((point for point in more if keeps(point, scope)), None)
        if enough is not None:
            many = f"{enough.setting.multiple:g} times as many ({enough.n_shoppers:,})"
            said.append(f"{many} would be enough for epsilon {epsilon:g}")
        elif more:
            said.append(f"not even {more[-1].n_shoppers:,} would be enough for epsilon {epsilon:g}")
    if not said:
        return ""
    return f"If more shoppers behaved like these, {'; '.join(said)}: an extrapolation."
