"""What laws ask for beyond the SDK's own rules, as dated facts. Not legal advice.

    preset = load_preset("us_co", on=date(2026, 11, 21))
    preset.gpc, preset.minor_age

A preset only adds duties: asking first, erasing at once and everything else that the SDK does
anyway holds everywhere. Adding a law takes a file in this folder and no code.
"""

from __future__ import annotations

from shelfrank.consent.presets.preset import (
    BASELINE,
    EVIDENCE,
    GPC_ORDER,
    NOT_LEGAL_ADVICE,
    Evidence,
    Fact,
    Gpc,
    Preset,
    combine,
)
from shelfrank.consent.presets.reading import (
    law_name,
    load_preset,
    preset_for,
    preset_ids,
    strictest,
)

__all__ = [
    "BASELINE",
    "EVIDENCE",
    "GPC_ORDER",
    "NOT_LEGAL_ADVICE",
    "Evidence",
    "Fact",
    "Gpc",
    "Preset",
    "combine",
    "law_name",
    "load_preset",
    "preset_for",
    "preset_ids",
    "strictest",
]
