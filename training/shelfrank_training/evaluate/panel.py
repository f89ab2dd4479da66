"""What every plot of a report has in common: the page's colours, one width, one kind of frame."""

from __future__ import annotations

import re
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.artist import Artist
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

TEXT: Final = 11.0
"""Points of what is read first."""

SMALL: Final = TEXT - 1.5
"""Points of what stands at an axis or explains lines."""

# Between the upper end of the axes and the name of the vertical one; inches.
_ABOVE: Final = 0.05


@contextmanager
def panel(
    title: str, *, upright: str, height: float, box: tuple[float, float, float, float]
) -> Iterator[tuple[Figure, Axes]]:
    """Open a titled figure with one pair of axes; draw in it while the block lasts.

    Args:
        title: stands in the upper left corner.
        upright: name of the vertical axis; stands above it, so that nobody turns the head.
        height: inches.
        box: left, bottom, width and height of the axes, as shares of the figure.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.size": TEXT, "text.parse_math": False}):
        figure = Figure(figsize=(_WIDTH, height))
        figure.text(0.0, 1.0, title, color=INK, weight="bold", va="top", size=TEXT + 1)
        axes = figure.add_axes(box)
        axes.set_ylabel(upright, color=MUTED, size=SMALL, rotation=0, ha="left", va="bottom")
        top = box[1] + box[3] + _ABOVE / height
        axes.yaxis.set_label_coords(0.0, top, transform=figure.transFigure)
        yield figure, axes


def rule(axes: Axes, which: Literal["x", "y"]) -> None:
    """Leave of a frame the lines that values are read off, and put them behind what is drawn.

    Args:
        axes: of `panel`.
        which: the axis of the values.
    """
    axes.grid(axis=which, color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)


def ticks(axes: Axes, which: Literal["x", "y", "both"]) -> None:
    """Write an axis's ticks small and in the muted colour."""
    axes.tick_params(axis=which, colors=MUTED, length=0, labelsize=SMALL, pad=5)


def legend(figure: Figure, drawn: Sequence[Artist], *, columns: int, gap: float) -> None:
    """Explain lines along the lower edge.

    Args:
        figure: of `panel`.
        drawn: what is explained, each with its label, in the order of reading.
        columns: beside each other.
        gap: between them, in letters.
    """
    figure.legend(
        drawn,
        [str(one.get_label()) for one in drawn],
        loc="lower left",
        bbox_to_anchor=(0.0, 0.0),
        ncols=columns,
        frameon=False,
        fontsize=SMALL,
        labelcolor=INK,
        borderaxespad=0.0,
        handlelength=1.6,
        columnspacing=gap,
    )


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
