"""Plots for reports: dots with intervals, in the colours of the page they stand in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that nobody picks by accident: each becomes a variable of the page's style sheet, so that
# one drawing serves light and dark screens.
INK: Final = "#0a0a01"
MUTED: Final = "#0a0a02"
ACCENT: Final = "#0a0a03"
RULE: Final = "#0a0a04"
SECOND: Final = "#0a0a05"
THIRD: Final = "#0a0a06"
_VARIABLES: Final = {
    INK: "--ink",
    MUTED: "--muted",
    ACCENT: "--accent",
    RULE: "--rule",
    SECOND: "--second",
    THIRD: "--third",
}

# A panel is as wide as a phone; wider screens put several side by side. Inches; 1 in = 72 SVG
# units.
_WIDTH: Final = 4.8
_ROW: Final = 0.34
_HEAD_AND_FOOT: Final = 0.78
_LABELS: Final = 0.34
_RIGHT: Final = 0.97
_DOT: Final = 7.0
_TEXT: Final = 11.0


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


def dot_panel(title: str, rows: Sequence[Dot], *, unit: str = "", signed: bool = False) -> Figure:
    """Draw a dot with its interval for each row, the first row on top.

    Args:
        title: what is measured.
        rows: at least one.
        unit: written behind each number.
        signed: differences: zero is marked in the middle of the picture, numbers carry a sign.
            Otherwise the axis starts at zero.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.size": _TEXT, "text.parse_math": False}):
        height = _HEAD_AND_FOOT + _ROW * len(rows)
        figure = Figure(figsize=(_WIDTH, height))
        axes = figure.add_axes(
            (_LABELS, 0.36 / height, _RIGHT - _LABELS, (height - _HEAD_AND_FOOT) / height)
        )
        for at, row in enumerate(rows):
            _draw(axes, row, at, text=_written(row.value, signed=signed) + unit)
        _scale(axes, rows, signed=signed)
        _dress(axes, [row.label for row in rows])
        figure.text(0.0, 1.0, title, color=INK, weight="bold", va="top", size=_TEXT + 1)
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
    axes.tick_params(axis="x", colors=MUTED, length=0, labelsize=_TEXT - 1.5, pad=5)
    axes.tick_params(axis="y", length=0, pad=6)
    axes.grid(axis="x", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)


def to_svg(figure: Figure, *, prefix: str) -> str:
    """Return a drawing as an ``<svg>`` element that can stand in a page.

    Args:
        figure: drawn with the colours of this module, or any others.
        prefix: put before every id, so that drawings on one page do not share any; letters and
            digits.

    Returns:
        Text, not outlines: it can be searched, copied and read aloud. The same drawing gives the
        same bytes.
    """
    from matplotlib import rc_context

    out = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        figure.savefig(
            out,
            format="svg",
            transparent=True,
            metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
        )
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    # The page chooses the family; matplotlib's own list would fall back to a serif without DejaVu.
    svg = re.sub(r"(font: [^;\"]*?\d+(?:\.\d+)?px) [^;\"]*", r"\1 var(--sans)", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg
