"""A sensitive category covers all below it, however written, and an unknown one is sensitive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.consent.policy import Sensitive
from shelfrank.consent.purposes import normal_category

EXCLUDE = Sensitive(mode="exclude", categories=("drug gm/vitamins", "spirits"))


@pytest.mark.parametrize(
    "category",
    [
        "SPIRITS",
        "SPIRITS/LIQUOR",
        "spirits/liquor/gin",
        " Spirits ",
        "/SPIRITS/",
        "SPIRITS//LIQUOR",
        "Drug  GM / Vitamins",
        "DRUG\u00a0GM/VITAMINS",
        "ＳＰＩＲＩＴＳ",
        None,
        "",
        " / ",
    ],
)
def test_covered(category):
    assert EXCLUDE.covers(category)


@pytest.mark.parametrize(
    "category", ["SPIRITSHOP", "DRUG GM", "DRUG GM/VITAMINS D", "GROCERY/SPIRITS", "spirit"]
)
def test_not_covered(category):
    assert not EXCLUDE.covers(category)


def test_where_there_should_be_no_categories_one_that_turns_up_was_never_judged():
    unfiltered = Sensitive(mode="no-categories")

    assert not unfiltered.covers(None)
    assert not unfiltered.covers("")
    assert unfiltered.covers("GROCERY")


SEGMENTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1)


@given(st.lists(SEGMENTS, min_size=1, max_size=4), SEGMENTS)
def test_covers_whatever_is_below_in_any_case_and_spacing(segments, below):
    path = normal_category("/".join(segments))
    if not path:
        return
    sensitive = Sensitive(mode="exclude", categories=(path,))

    for written in ["/".join(segments), path, path.upper().lower(), f"  {path}/{below}/ "]:
        assert sensitive.covers(written)


@given(st.text())
def test_the_normal_form_is_its_own_normal_form(path):
    assert normal_category(normal_category(path)) == normal_category(path)
