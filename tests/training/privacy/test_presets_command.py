"""``shelfrank privacy presets``: the laws side by side, and one with its sources."""

from __future__ import annotations

import json

import pytest

from shelfrank.consent.presets import preset_ids
from shelfrank_training.cli.main import run


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setattr("shelfrank_training.cli.console.stderr.width", 400)


def told(*arguments):
    return run(["privacy", "presets", *arguments, "--at", "2026-11-25"])


def test_all_laws_stand_side_by_side_with_the_strictest_below(capsys):
    assert told() == 0

    shown = capsys.readouterr().err
    rows = [line for line in shown.splitlines() if line.startswith("│")]
    assert [row.split("│")[1].strip() for row in rows] == [*preset_ids(), "unknown region"]
    assert "not legal advice" in shown


def test_one_law_is_shown_with_sources_evidence_and_what_answers_it(capsys):
    assert told("us_co") == 0

    shown = capsys.readouterr().err
    assert "Colorado Privacy Act (us_co)" in shown
    assert "4 CCR 904-3 Rule 7.08" in shown
    assert "unverified" in shown
    assert "software: one call" in shown
    assert "not legal advice" in shown


def test_as_json_a_law_is_what_code_holds(capsys):
    assert told("us_ca", "--json") == 0

    law = json.loads(capsys.readouterr().out)
    assert (law["ids"], law["gpc"], law["minor_age"]) == (["us_ca"], "must_display", 16)
    assert {"key", "value", "source", "checked_on", "evidence"} <= set(law["facts"][0])

    assert told("--json") == 0
    everything = json.loads(capsys.readouterr().out)
    assert everything["strictest"]["minor_age"] == 18
    assert [law["ids"] for law in everything["presets"]] == [[one] for one in preset_ids()]


def test_a_law_that_is_not_there_is_refused(capsys):
    assert told("atlantis") == 1
    assert "wanted one of eu_gdpr" in capsys.readouterr().err
