"""``shelfrank privacy presets``: what each law asks for, with source and evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shelfrank_training.cli import console
from shelfrank_training.cli.bundle import Time
from shelfrank_training.cli.options import clock_time

if TYPE_CHECKING:
    from datetime import date, datetime

    from shelfrank.consent.presets import Preset


@click.command("presets")
@click.argument("preset", required=False)
@click.option("--at", type=Time(), help="As of this moment. Default: now.")
@click.option("--json", "as_json", is_flag=True, help="Write it to stdout.")
def command(preset: str | None, at: datetime | None, as_json: bool) -> None:
    """Show what the law PRESET asks for, or all laws side by side.

    Facts that nobody has verified are marked; they only ever tighten. This is no legal advice.
    """
    from shelfrank.consent.presets import NOT_LEGAL_ADVICE, load_preset, preset_ids, strictest

    on = (at or clock_time()).date()
    if preset is not None:
        law = load_preset(preset, on=on)
        if as_json:
            console.emit_json(_as_json(law, on))
        else:
            _show_one(law)
    else:
        laws = [load_preset(preset_id, on=on) for preset_id in preset_ids()]
        everywhere = strictest(on=on)
        if as_json:
            documents = [_as_json(law, on) for law in laws]
            console.emit_json({"presets": documents, "strictest": _as_json(everywhere, on)})
        else:
            rows = [_summary(law, law.ids[0]) for law in laws]
            rows.append(_summary(everywhere, "unknown region"))
            console.table("what the laws ask for", _COLUMNS, rows, text=_COLUMNS)
    console.say(NOT_LEGAL_ADVICE["en"])


_COLUMNS = (
    "preset", "GPC", "minor below", "ask again after", "yes lasts at most", "unused at most",
    "answer within", "tell retention",
)  # fmt: skip


def _summary(law: Preset, name: str) -> list[str]:
    def days(count: int | None) -> str:
        return "–" if count is None else f"{count} days"

    return [
        name,
        law.gpc.replace("_", " "),
        str(law.minor_age),
        days(law.reask_days),
        days(law.max_validity_days),
        days(law.refresh_after_days),
        days(law.answer_days),
        "yes" if law.disclose_retention else "–",
    ]


def _show_one(law: Preset) -> None:
    from shelfrank.consent.presets import law_name
    from shelfrank_training.privacy.duties import duties
    from shelfrank_training.publish.printable import cell

    rows = [
        [
            cell(duty.fact.key),
            cell(duty.fact.value),
            str(duty.fact.effective_from or "–"),
            cell(duty.fact.source),
            "[yellow]unverified[/yellow]"
            if duty.fact.evidence == "unverified"
            else duty.fact.evidence,
            f"{duty.by}: {cell(duty.answer)}",
        ]
        for duty in duties(law)
    ]
    columns = ("about", "what it says", "since", "source", "evidence", "answered by")
    console.table(f"{law_name(law.ids[0])} ({law.ids[0]})", columns, rows, text=columns)


def _as_json(law: Preset, on: date) -> dict[str, object]:
    from shelfrank.consent.presets import NOT_LEGAL_ADVICE
    from shelfrank_training.privacy.duties import duties

    return {
        "ids": list(law.ids),
        "on": on.isoformat(),
        "note": NOT_LEGAL_ADVICE["en"],
        "gpc": law.gpc,
        "minor_age": law.minor_age,
        "reask_days": law.reask_days,
        "max_validity_days": law.max_validity_days,
        "refresh_after_days": law.refresh_after_days,
        "answer_days": law.answer_days,
        "disclose_retention": law.disclose_retention,
        "facts": [duty.to_json() for duty in duties(law)],
    }
