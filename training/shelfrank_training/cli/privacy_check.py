"""``shelfrank privacy check``: a policy judged by every rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from shelfrank_training.cli import console
from shelfrank_training.cli.bundle import Time
from shelfrank_training.cli.options import clock_time, known_presets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from shelfrank_training.privacy.check import Judged, Verdict
    from shelfrank_training.privacy.rules import Outcome

_STYLES: Final[Mapping[Outcome, str]] = {"passed": "green", "warning": "yellow", "failed": "red"}


@click.command("check")
@click.argument("policy", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--preset",
    "presets",
    multiple=True,
    metavar="ID",
    callback=known_presets,
    help="A law to hold it against; may be repeated. Default: those the policy names, else the "
    "strictest of all.",
)
@click.option("--at", type=Time(), help="Judge as of this moment. Default: now.")
@click.option("--json", "as_json", is_flag=True, help="Write it to stdout.")
def command(policy: Path, presets: tuple[str, ...], at: datetime | None, as_json: bool) -> int:
    """Judge POLICY by every rule, and exit 1 if one fails.

    A warning is for a person to judge and fails nothing. What passes is not therefore lawful.
    """
    from shelfrank_training.privacy.check import check

    verdict = check(policy.read_bytes(), presets=presets, on=(at or clock_time()).date())
    if as_json:
        console.emit_json(verdict.to_json())
    else:
        _show(verdict)
    return 0 if verdict.passed else 1


def _show(verdict: Verdict) -> None:
    from shelfrank.consent.presets import NOT_LEGAL_ADVICE
    from shelfrank_training.publish.printable import printable

    rows = [_row(judged) for judged in verdict.rules]
    title = f"policy {printable(verdict.policy)} under {', '.join(verdict.presets)}"
    console.table(title, ("rule", "", "what must hold", "source"), rows, text=_TEXT)
    for judged in verdict.rules:
        for fault in judged.faults:
            style = _STYLES[fault.outcome]
            console.stderr.print(f"{fault.outcome} {judged.rule.id}", style=style, end=": ")
            parts = (fault.where, f"got {fault.got}", f"wanted {fault.wanted}")
            console.say(", ".join(map(printable, parts)))
    counts = {
        outcome: sum(judged.outcome == outcome for judged in verdict.rules) for outcome in _STYLES
    }
    console.say(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    told = sum(duty.by == "shop" for duty in verdict.duties)
    console.say(
        f"the laws ask for {len(verdict.duties)} things, {told} of them from the shop alone: "
        "shelfrank privacy presets lists them"
    )
    console.say(NOT_LEGAL_ADVICE["en"])


_TEXT: Final = ("", "what must hold", "source")


def _row(judged: Judged) -> list[str]:
    from shelfrank_training.publish.printable import cell

    style = _STYLES[judged.outcome]
    outcome = f"[{style}]{judged.outcome}[/{style}]"
    return [judged.rule.id, outcome, cell(judged.rule.sentence), cell(judged.rule.source)]
