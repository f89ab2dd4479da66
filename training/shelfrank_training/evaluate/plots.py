"""Plots of figures side by side: dots with intervals, in the colours of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shelfrank_training.evaluate.panel import ACCENT, INK, MUTED, RULE, panel, rule, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches.
_ROW: Final = 0.34
_HEAD_AND_FOOT: Final = 0.78
_LABELS: Final = 0.34
_RIGHT: Final = 0.97
_DOT: Final = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One row of a panel.

    Attributes:
        label: what it is.
        value: where the dot stands.
        low: left end of the interval; equal to `value` for none.
        high: right end of the interval.
        accent: drawn in the page's accent colour.
    """

    label: str
    value: float
    low: float
    high: float
    accent: bool = False


def dot_panel(
    title: str, rows: Sequence[Dot], *, upright: str, unit: str = "", signed: bool = False
) -> Figure:
    """Draw a dot with its interval for each row, the first row on top.

    Args:
        title: what is measured.
        rows: at least one.
        upright: what the rows are, above their labels.
        unit: written behind each number.
        signed: differences: zero is marked in the middle of the picture, numbers carry a sign.
            Otherwise the axis starts at zero.
    """
    height = _HEAD_AND_FOOT + _ROW * len(rows)
    box = (_LABELS, 0.36 / height, _RIGHT - _LABELS, (height - _HEAD_AND_FOOT) / height)
    with panel(title, upright=upright, height=height, box=box) as (figure, axes):
        for at, row in enumerate(rows):
            _draw(axes, row, at, text=_written(row.value, signed=signed) + unit)
        _scale(axes, rows, signed=signed)
        _dress(axes, [row.label for row in rows])
    return figure


def _written(value: float, *, signed: bool) -> str:
    # The minus of the axis, not a hyphen.
    return f"{value:{'+' if signed else ''}.3f}".replace("-", "\u2212")


def _draw(axes: Axes, row: Dot, at: int, *, text: str) -> None:
    colour = ACCENT if row.accent else MUTED
    axes.plot([row.low, row.high], [at, at], color=colour, linewidth=2.2, solid_capstyle="round")
    axes.plot([row.value], [at], "o", color=colour, markersize=_DOT)
    axes.annotate(
        text,
        (row.high, at),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=INK if row.accent else MUTED,
        weight="bold" if row.accent else "normal",
    )


def _scale(axes: Axes, rows: Sequence[Dot], *, signed: bool) -> None:
    low = min(0.0, *(row.low for row in rows))
    high = max(0.0, *(row.high for row in rows))
    span = (high - low) or 1.0
    # Room for the number behind the right-most interval, and half a dot on the left.
    axes.set_xlim(low - span * (0.06 if signed else 0.03), high + span * 0.34)
    axes.axvline(0.0, color=INK if signed else RULE, linewidth=1.0, zorder=0)


def _dress(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_ylim(len(labels) - 0.45, -0.55)
    axes.set_yticks(range(len(labels)), labels, color=INK)
    axes.locator_params(axis="x", nbins=4)
    ticks(axes, "x")
    axes.tick_params(axis="y", length=0, pad=6)
    rule(axes, "x")
