"""Plots of figures along an axis, a line for each model, in the colours of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shelfrank_training.evaluate.panel import (
    ACCENT,
    MUTED,
    RULE,
    SECOND,
    SMALL,
    THIRD,
    legend,
    panel,
    rule,
    ticks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from shelfrank_training.evaluate.bootstrap import Estimate

COLOURS: Final = (ACCENT, MUTED, SECOND, THIRD)
"""One for each model, the first the one that is read first."""

MARKERS: Final = "osD^"
"""One for each model, so that nobody needs the colours."""

_HEIGHT: Final = 3.5  # inches
_BOX: Final = (0.1, 0.26, 0.88, 0.62)
_LINE: Final = 2.0
_INTERVAL: Final = 1.4
_MARKER: Final = 5.5
_SHADE: Final = 0.16
# Room above the highest end of an interval, as a share of it.
_AIR: Final = 1.08
# Points of one tick stand this far beside each other, in ticks, so that intervals can be told
# apart.
_BESIDE: Final = 0.09


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line.

    Attributes:
        label: what it is.
        figures: one for each place of the panel, none below 0.
    """

    label: str
    figures: Sequence[Estimate]


def shaded_panel(title: str, lines: Sequence[Series], *, upright: str, axis: str) -> Figure:
    """Draw figures at 1, 2, 3 …, with their intervals as shades.

    Args:
        title: what is measured.
        lines: at least one, at most as many as `COLOURS`; equally long.
        upright: name of the vertical axis.
        axis: name of the horizontal axis.
    """
    n = len(lines[0].figures)
    marks = [(at, f"{at}") for at in (1, *range(5, n + 1, 5)) if at <= n]

    def draw(axes: Axes) -> None:
        x = range(1, n + 1)
        for at, line in _on_top_last(lines):
            low = [of.low for of in line.figures]
            high = [of.high for of in line.figures]
            axes.fill_between(x, low, high, color=COLOURS[at], alpha=_SHADE, linewidth=0)
            y = [of.value for of in line.figures]
            axes.plot(x, y, color=COLOURS[at], linewidth=_LINE, label=line.label)
        axes.set_xlim(0.5, n + 0.5)

    return _panel(title, lines, draw, upright=upright, marks=marks, axis=axis)


def slice_panel(
    title: str, lines: Sequence[Series], *, upright: str, names: Sequence[str], axis: str
) -> Figure:
    """Draw figures of slices beside each other, with their intervals as strokes.

    Args:
        title: what is measured.
        lines: at least one, at most as many as `COLOURS`.
        upright: name of the vertical axis.
        names: of the slices, as many as each line has figures.
        axis: what the slices are cut by.
    """
    marks = list(enumerate(names))

    def draw(axes: Axes) -> None:
        middle = (len(lines) - 1) / 2
        for at, line in _on_top_last(lines):
            x = [place + (at - middle) * _BESIDE for place in range(len(names))]
            for place, of in zip(x, line.figures, strict=True):
                axes.plot(
                    [place, place],
                    [of.low, of.high],
                    color=COLOURS[at],
                    linewidth=_INTERVAL,
                    solid_capstyle="round",
                )
            axes.plot(
                x,
                [of.value for of in line.figures],
                color=COLOURS[at],
                linewidth=_LINE,
                marker=MARKERS[at],
                markersize=_MARKER,
                clip_on=False,  # A zero stands on the edge and is as whole as any other.
                label=line.label,
            )
        axes.set_xlim(-0.4, len(names) - 0.6)

    return _panel(title, lines, draw, upright=upright, marks=marks, axis=axis)


def _on_top_last(lines: Sequence[Series]) -> list[tuple[int, Series]]:
    """Return lines with their numbers, the first one last: it is read first and lies on top."""
    return list(enumerate(lines))[::-1]


def _panel(
    title: str,
    lines: Sequence[Series],
    draw: Callable[[Axes], None],
    *,
    upright: str,
    marks: Sequence[tuple[int, str]],
    axis: str,
) -> Figure:
    with panel(title, upright=upright, height=_HEIGHT, box=_BOX) as (figure, axes):
        draw(axes)
        highest = max(of.high for line in lines for of in line.figures)
        axes.set_ylim(0, highest * _AIR or 1.0)
        axes.set_xticks([place for place, _ in marks], [name for _, name in marks])
        axes.set_xlabel(axis, color=MUTED, size=SMALL, labelpad=6)
        axes.locator_params(axis="y", nbins=5)
        ticks(axes, "both")
        rule(axes, "y")
        axes.axhline(0, color=RULE, linewidth=1.0)
        drawn = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        legend(figure, [drawn[line.label] for line in lines], columns=len(lines), gap=1.4)
    return figure
