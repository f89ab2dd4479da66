"""The demo's report: figures, one household, size, time, the label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shelfrank.bundle import archive
from shelfrank.types import LANGUAGES
from shelfrank_training.evaluate.plots import Dot, dot_panel
from shelfrank_training.evaluate.report import (
    Caution,
    Drawing,
    Drawings,
    Facts,
    Prose,
    Section,
    Table,
    write_report,
)
from shelfrank_training.evaluate.sections import evaluation_sections

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank import Page
    from shelfrank_training.demo.run import Demo

_TRANSLATED = 3
"""Reasons shown in all languages."""


def write_demo_report(path: Path, demo: Demo) -> None:
    """Write the report.

    Raises:
        DataError: the file cannot be written.
    """
    write_report(
        path,
        [
            _summary(demo),
            *evaluation_sections(demo.evaluation),
            _household(demo),
            _weight(demo),
            _label(demo),
        ],
        title="shelfrank on the Complete Journey",
        lead=(
            "Purchases of a grocery chain's households, taken the whole way: aggregated, trained, "
            "exported, signed, and ranked on a device. The data set is public; so is the household."
        ),
        foot=f"Every figure on this page: {demo.evaluation.bounds}.",
    )


def _summary(demo: Demo) -> Section:
    info, source = demo.aggregates.info, demo.source
    return Section(
        "What was done",
        [
            Facts(
                [
                    ("Data", f"{source.lines:,} purchase lines, {source.products:,} products"),
                    (
                        "Left out",
                        (
                            f"{source.empty_lines:,} lines without quantity, "
                            f"{source.unlisted_lines:,} of products that are not listed"
                        ),
                    ),
                    (
                        "Excluded as sensitive",
                        (
                            f"{demo.excluded.products:,} products, {demo.excluded.lines:,} lines: "
                            "medicine, contraception, alcohol, tobacco, baby and the like"
                        ),
                    ),
                    ("Trained on", f"{info.shoppers:,} households, before {info.time_to:%d %B %Y}"),
                    (
                        "Every number covers",
                        (
                            f"at least {info.min_shoppers} households; of each at most "
                            f"{info.max_items} products count"
                        ),
                    ),
                    ("Measured on", "households that training never saw"),
                ]
            )
        ],
    )


def _household(demo: Demo) -> Section:
    shown = demo.shown
    dropped = ", ".join(
        f"{count:,} {reason.replace('_', ' ')}"
        for reason, count in sorted(shown.outcomes.items())
        if reason != "stored"
    )
    reasons = [
        (shown.titles[item.item_id], *(item.why(language) for language in LANGUAGES))
        for item in (*shown.page[:_TRANSLATED], *shown.discoveries[:_TRANSLATED])
    ]
    return Section(
        "One household's device",
        [
            Prose(
                f"Household {shown.household} of the public data set, chosen by a rule: the "
                "held-out household with the median number of lines. Its purchases were recorded "
                "into an encrypted history after it was asked; the device's clock stands at the "
                "cutoff."
            ),
            Facts(
                [
                    ("Before it was asked", f"{shown.before.mode}: {shown.before.mode_reason}"),
                    ("Lines recorded", f"{shown.outcomes['stored']:,} of {shown.purchases:,}"),
                    ("Dropped", dropped or "none"),
                    (
                        "Unmapped means",
                        "not in the model: bought by too few households, or sensitive",
                    ),
                    ("After", f"{shown.page.mode}, from its {shown.page.rung}"),
                ]
            ),
            _page(
                demo,
                shown.page,
                "The page, best first. “Bought later” is what this household did after the cutoff.",
            ),
            _page(
                demo,
                shown.discoveries,
                "The same call with only products that the household had never bought.",
            ),
            Table(
                columns=["product", *LANGUAGES],
                rows=reasons,
                caption="The same reasons in every language of the policy.",
                align="llll",
            ),
        ],
    )


def _page(demo: Demo, page: Page, caption: str) -> Table:
    shown = demo.shown
    rows = [
        (
            f"{place}. {shown.titles[item.item_id]}",
            f"{item.score:.2f}",
            item.why("en"),
            "yes" if item.item_id in shown.bought else "",
        )
        for place, item in enumerate(page, start=1)
    ]
    return Table(
        columns=["product", "score", "why", "bought later"],
        rows=rows,
        caption=f"{caption} {demo.evaluation.bounds}.",
        align="lrll",
    )


def _weight(demo: Demo) -> Section:
    members = archive.read_members(demo.bundle.read_bytes())
    sizes = sorted(((len(data) / 1000, name) for name, data in members.items()), reverse=True)
    size_panel = dot_panel(
        "Size of the bundle's files, kB",
        [Dot(label=name, value=size, low=0.0, high=size) for size, name in sizes[:6]],
        upright="file",
    )
    median, low, high = (demo.times.quantile(share) for share in (0.5, 0.05, 0.95))
    time_panel = dot_panel(
        "Time of one ranking, ms",
        [Dot(label="call to page", value=median, low=low, high=high, accent=True)],
        upright="what is timed",
    )
    return Section(
        "Size and time",
        [
            Drawings(
                panels=[
                    Drawing(size_panel, f"The largest file is {sizes[0][1]}."),
                    Drawing(time_panel, f"The median is {median:.2f} ms."),
                ],
                caption=(
                    f"Left: the six largest files. Right: median, 5th and 95th percentile of "
                    f"{demo.times.milliseconds.size} calls on this machine, "
                    f"{demo.times.n_candidates:,} candidates and {demo.times.n_events} events."
                ),
            ),
            Facts(
                [
                    ("Bundle", f"{demo.bundle.stat().st_size / 1000:,.0f} kB, signed"),
                    ("History", f"{demo.shown.history_bytes / 1000:,.0f} kB, encrypted"),
                    ("One ranking", f"{median:.2f} ms (median)"),
                    ("One event recorded", f"{demo.shown.record_ms:.1f} ms (median), on disk"),
                    ("Graph against estimators", f"{demo.trained.exported.difference:.1e} apart"),
                ]
            ),
        ],
    )


def _label(demo: Demo) -> Section:
    info = demo.aggregates.info
    rows = [(name, f"{table.rows:,}", table.suppressed()) for name, table in info.tables.items()]
    return Section(
        "Privacy label",
        [
            Caution("No differential privacy: a threshold hides small groups, and no more."),
            Facts(
                [
                    ("Unit", "one household"),
                    ("Smallest group behind a number", f"{info.min_shoppers} households"),
                    ("Mechanism", info.mechanism),
                    ("Epsilon", "none stated" if info.epsilon is None else f"{info.epsilon:g}"),
                    ("Policy", f"{demo.policy.id}, version {demo.policy.version}"),
                    ("Leaves the device", "nothing"),
                ]
            ),
            Table(
                columns=["table", "rows", "left out"],
                rows=rows,
                caption=(
                    "What training saw. “Left out” are rows about fewer than "
                    f"{info.min_shoppers} households."
                ),
            ),
        ],
    )
