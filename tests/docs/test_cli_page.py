"""cli.md has every command with just its options, as click knows them."""

from __future__ import annotations

import pytest

from support.cli_page import PAGE, headings, rewritten, usages

TEXT = PAGE.read_text(encoding="utf-8")


def test_every_command_has_a_section_with_its_arguments():
    assert sorted(headings(TEXT)) == sorted(usages())


def test_the_tables_are_the_commands_own():
    assert rewritten(TEXT) == TEXT, "run: PYTHONPATH=tests python -m support.cli_page"


@pytest.mark.parametrize(
    ("what_stands", "what_should"),
    [
        ("`--max-bad-rows SHARE`", "`--max-bad-lines SHARE`"),
        ("| `50` | Distinct shoppers", "| `20` | Distinct shoppers"),
        ("Folder to write.", "Folder to read."),
    ],
)
def test_a_table_that_says_something_else_is_found(what_stands, what_should):
    assert what_stands in TEXT

    assert rewritten(TEXT.replace(what_stands, what_should)) == TEXT
    assert TEXT.replace(what_stands, what_should) != TEXT


def test_prose_is_left_alone():
    assert rewritten("# Page\n\ntext | no table\n") == "# Page\n\ntext | no table\n"
