"""Every edge case of consent is held by tests that exist."""

from __future__ import annotations

import pytest

from support.markdown import REPOSITORY, table_rows
from support.named_tests import missing

ROWS = {row[0]: row for row in table_rows(REPOSITORY / "sdk/docs/consent-edge-cases.md")}


def test_the_page_has_its_rows():
    assert len(ROWS) >= 30


@pytest.mark.parametrize("case", ROWS)
def test_the_tests_that_a_row_names_exist(case):
    row = ROWS[case]

    assert len(row) == 3
    assert row[1]
    assert missing(row[2]) == []
