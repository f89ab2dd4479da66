"""The page on privacy shows a policy that works and the states there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shelfrank.consent.engine import Status
from shelfrank.consent.policy import Policy

PAGE = Path(__file__).resolve().parents[3] / "sdk" / "docs" / "privacy.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_its_policy_can_be_read(page):
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)

    policy = Policy.parse(example.encode())

    assert policy.purpose("rank_products").retention_days == 180


def test_its_table_has_every_state_and_says_which_permit(page):
    rows = re.findall(r"^\| `(\w+)` \| `(dpv:\w+)` \| (yes|no) \|", page, re.MULTILINE)

    assert rows == [(s.name, s.dpv, "yes" if s.permits else "no") for s in Status]
