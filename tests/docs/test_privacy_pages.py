"""The pages on privacy say what the code does, name tests that exist, and give no legal advice."""

from __future__ import annotations

import re
from datetime import date

import pytest

from shelfrank.consent.presets import law_name, preset_ids
from shelfrank_training.privacy.check import RULES, check
from shelfrank_training.privacy.promises import promises
from support.markdown import REPOSITORY, blocks, table_rows
from support.named_tests import missing

DOCS = REPOSITORY / "sdk/docs"
BEYOND = list(table_rows(DOCS / "beyond-the-law.md"))
PROMISES = [*promises("invariant"), *promises("beyond")]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.id)
def test_the_tests_of_every_promise_exist(promise):
    assert promise.says.endswith(".")
    assert missing(" ".join(promise.tests)) == []


def test_beyond_the_law_is_what_the_evidence_says():
    assert [
        [one.id, one.says, one.law, ", ".join(f"`{test}`" for test in one.tests)]
        for one in promises("beyond")
    ] == BEYOND
    assert all(one.law for one in promises("beyond"))


def test_the_invariants_are_those_of_privacy():
    assert [one.id for one in promises("invariant")] == [f"P{number}" for number in range(1, 10)]


def test_each_promise_is_made_once():
    assert len({one.id for one in PROMISES}) == len(PROMISES)
    assert len({one.says for one in PROMISES}) == len(PROMISES)


def test_privacy_md_lists_the_rules_of_the_check_and_the_laws():
    rows = list(table_rows(DOCS / "privacy.md"))

    for rule in RULES:
        assert [f"`{rule.id}`", rule.sentence] in rows
    for preset_id in preset_ids():
        assert [f"`{preset_id}`", law_name(preset_id)] in rows


def test_the_policy_that_privacy_md_shows_passes_the_check():
    (example,) = [b for b in blocks(DOCS / "privacy.md") if b.language == "toml"]

    verdict = check(example.code.encode(), on=date(2026, 11, 25))

    assert [judged.rule.id for judged in verdict.rules if judged.outcome == "failed"] == []


@pytest.mark.parametrize(
    "name",
    ["privacy.md", "dpia-template.md", "app-stores.md", "staff-guide.md", "beyond-the-law.md"],
)
def test_that_it_is_no_legal_advice_stands_where_people_read_it(name):
    text = (DOCS / name).read_text(encoding="utf-8").casefold()

    assert re.search(r"(?:not|no) legal advice", text)


def test_the_staff_guide_fits_one_page():
    words = (DOCS / "staff-guide.md").read_text(encoding="utf-8").split()

    assert len(words) < 600  # a page of A4 in two columns


def test_the_files_that_the_assessment_refers_to_are_in_the_evidence():
    text = (DOCS / "dpia-template.md").read_text(encoding="utf-8")
    gathered = (REPOSITORY / "training/shelfrank_training/privacy/evidence.py").read_text("utf-8")

    for name in ("index.md", "inventory.csv", "label.json", "notice-"):
        assert name in text
        assert name in gathered
