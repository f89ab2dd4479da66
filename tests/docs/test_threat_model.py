"""What the threat model and the page on the history's tests name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.faults.guards import GUARDS
from support.markdown import REPOSITORY, table_rows
from support.named_tests import missing

PAGE = REPOSITORY / "sdk/docs/threat-model.md"
ROWS = {row[0]: row for row in table_rows(PAGE)}
HISTORY_PAGE = REPOSITORY / "sdk/docs/history-tests.md"
CASES = {row[0]: row for row in table_rows(HISTORY_PAGE) if row[0].isdigit()}
CAMPAIGNS = {
    path.name
    for path in (REPOSITORY / "tests/benchmarks/history").glob("*.py")
    if "support.faults.command" in path.read_text(encoding="utf-8")
}


@pytest.mark.parametrize("number", ROWS)
def test_the_tests_that_a_row_names_exist(number):
    row = ROWS[number]

    assert len(row) == 6
    assert all(row[cell] for cell in (1, 2, 3))
    assert missing(row[5]) == []


def test_rows_are_numbered_once_and_in_order():
    numbers = [row[0] for row in table_rows(PAGE)]

    assert len(set(numbers)) == len(numbers)
    by_letter: dict[str, list[int]] = {}
    for number in numbers:
        by_letter.setdefault(number[0], []).append(int(number[1:]))
    assert all(found == list(range(1, len(found) + 1)) for found in by_letter.values())
    assert set(by_letter) == {"B", "H", "C", "T"}


def test_the_history_has_its_thirty_cases():
    assert list(CASES) == [str(number) for number in range(1, 31)]


@pytest.mark.parametrize("number", CASES)
def test_the_tests_and_campaigns_that_a_case_names_exist(number):
    row = CASES[number]

    assert len(row) == 6
    assert missing(row[3]) == []
    if "::" in row[5]:
        assert missing(row[5]) == []
    named = re.findall(r"`(\w+\.py)", row[4])
    assert bool(named) == bool(row[4])
    assert set(named) <= CAMPAIGNS
    words = set(re.findall(r"`([a-z-]+)`", row[5]))
    assert words <= set(GUARDS)


def test_every_campaign_is_on_the_page():
    listed = {Path(row[0].strip("`")).name for row in table_rows(HISTORY_PAGE) if len(row) == 2}

    assert listed == CAMPAIGNS


@pytest.mark.parametrize(
    "cell",
    [
        "`tests/docs/test_threat_model.py::test_that_is_not_there`",
        "`tests/docs/test_none.py::test_the_tests_that_a_row_names_exist`",
        "`tests/support/named_tests.py::missing`",
        "`tests/sdk/consent/test_engine.py::test_only_what_was_written_here_counts_as_shown`",
    ],
)
def test_a_test_that_does_not_exist_is_found(cell):
    assert missing(cell) == [cell.strip("`")]


def test_a_row_without_a_test_is_refused():
    with pytest.raises(AssertionError, match="without a test"):
        missing("trust us")
