"""Plots of shares as lines with intervals, in the colours of the page they stand in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shelfrank_training.evaluate import panel as page
from shelfrank_training.evaluate.panel import ACCENT, INK, MUTED, SECOND, TEXT, THIRD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from shelfrank_training.evaluate.bootstrap import Estimate

COLOURS: Final = (ACCENT, SECOND, THIRD)
"""For lines that are compared, the first the one that is read first."""

# Inches: high enough for ten points of difference to be seen.
_HEIGHT: Final = 4.3
_BOX: Final = (0.115, 0.31, 0.98 - 0.115, 0.9 - 0.31)
_LINE: Final = 1.8
_INTERVAL: Final = 1.2
_MARKER: Final = 5.0

# Lines of one panel stand this far beside each other, so that their intervals can be told apart.
# In units of the axis, on which a factor of ten is 1.
_BESIDE: Final = 0.018

# Beyond it nothing is told: a share with an interval this wide says little anyway.
_HIGHEST: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One point of a line.

    Attributes:
        x: where, in units of the axis.
        share: how high, and its interval.
        extrapolated: drawn hollow, and the line to it dashed.
    """

    x: float
    share: Estimate
    extrapolated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a panel.

    Attributes:
        label: what it is.
        spots: ascending in `x`, at least one; what is extrapolated stands last.
        colour: of `shelfrank_training.evaluate.panel`.
        marker: of matplotlib.
    """

    label: str
    spots: Sequence[Spot]
    colour: str
    marker: str = "o"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A line across the whole panel.

    Attributes:
        share: how high.
        label: what it is; empty leaves it out of the legend.
        colour: of `shelfrank_training.evaluate.panel`.
        dotted: else solid.
    """

    share: float
    label: str = ""
    colour: str = INK
    dotted: bool = False


def line_panel(
    title: str,
    lines: Sequence[Line],
    *,
    upright: str,
    ticks: Sequence[tuple[float, str]],
    axis: str,
    levels: Sequence[Level] = (),
) -> Figure:
    """Draw shares, 0 at the bottom.

    Args:
        title: what is compared.
        lines: at least one.
        upright: name of the vertical axis: of what it is a share.
        ticks: where on the axis, and what stands there.
        axis: name of the horizontal axis.
        levels: drawn across.
    """
    with page.panel(title, upright=upright, height=_HEIGHT, box=_BOX) as (figure, axes):
        middle = (len(lines) - 1) / 2
        for at, line in enumerate(lines):
            # The first line is read first: it lies on top.
            _draw(axes, line, beside=(at - middle) * _BESIDE, height=len(lines) + 1 - at)
        for level in levels:
            axes.axhline(
                level.share,
                color=level.colour,
                linewidth=1.4 if level.dotted else 1.0,
                linestyle=":" if level.dotted else "-",
                label=level.label or None,
                zorder=1,
            )
        _dress(axes, lines, ticks, axis)
        page.legend(figure, axes.get_legend_handles_labels()[0], columns=2, gap=1.6)
    return figure


def _draw(axes: Axes, line: Line, *, beside: float, height: int) -> None:
    x = [spot.x + beside for spot in line.spots]
    y = [spot.share.value for spot in line.spots]
    measured = sum(not spot.extrapolated for spot in line.spots)
    for at, spot in enumerate(line.spots):
        axes.plot(
            [x[at], x[at]],
            [spot.share.low, spot.share.high],
            color=line.colour,
            linewidth=_INTERVAL,
            zorder=height,
        )
    axes.plot(
        x[:measured],
        y[:measured],
        line.marker + "-",
        color=line.colour,
        linewidth=_LINE,
        markersize=_MARKER,
        label=line.label,
        zorder=height,
    )
    if measured < len(x):
        first = max(measured - 1, 0)
        axes.plot(x[first:], y[first:], "--", color=line.colour, linewidth=_LINE, zorder=height)
        axes.plot(
            x[measured:],
            y[measured:],
            line.marker,
            markersize=_MARKER,
            markeredgecolor=line.colour,
            markerfacecolor="none",
            markeredgewidth=1.4,
            zorder=height,
        )


def _dress(
    axes: Axes, lines: Sequence[Line], ticks: Sequence[tuple[float, str]], axis: str
) -> None:
    highest = max(spot.share.high for line in lines for spot in line.spots)
    # Room for a dot at 0.
    axes.set_ylim(-0.03, min(max(1.08, highest * 1.03), _HIGHEST))
    axes.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "25", "50", "75", "100 %"])
    left, right = ticks[0][0], ticks[-1][0]
    margin = max(0.08 * (right - left), 0.1)
    axes.set_xlim(left - margin, right + margin)
    axes.set_xticks([at for at, _ in ticks], [text for _, text in ticks])
    axes.set_xlabel(axis, color=MUTED, fontsize=TEXT - 1.0, labelpad=4)
    page.ticks(axes, "both")
    page.rule(axes, "y")
