"""The second layer says, in three languages, all that is kept, how long, and where to complain."""

from __future__ import annotations

import pytest

from shelfrank.consent.notice import write_notice
from shelfrank.consent.purposes import FIELD_NAMES, PREFERENCE_FIELDS
from shelfrank.types import KINDS, LANGUAGES
from support.shopper import policy, policy_data, purpose_data


def detail(language="en", **changes):
    data = policy_data()
    data["policy"]["contexts"] = ["kiosk", "shop"]
    data["policy"]["controller"] |= {"address": "Example Street 1", "authority": "The Authority"}
    data["purpose"] = [purpose_data(**changes)]
    parsed = policy(data)
    return write_notice(parsed, parsed.purposes[0], language, token="t").detail  # noqa: S106


def fields(*names):
    return [
        {"name": name, "origin": "declared" if name in PREFERENCE_FIELDS else "observed"}
        for name in ("item", "kind", "time", "visit", *names)
    ]


def test_it_says_everything_a_shopper_may_want_to_know():
    assert detail(
        kinds=["view"], max_events=500, contexts=["kiosk", "shop"], field=fields("brand")
    ) == (
        "Kept on this device only: what you look at, which brands you name (time: to the hour). "
        "Nobody is given it. Kept for: 180 days, then erased. "
        "The basis is your consent; it lasts: 365 days. "
        "At most 500 entries, the newest. "
        "In these parts of the shop only, and in which one is noted: kiosk, shop. "
        "You can withdraw it at any time in the same place, without a reason or a drawback; "
        "what was kept is then erased at once. "
        "You can see, correct, take along and erase here what was kept. "
        "Responsible: Corner Shop (Example Street 1, privacy@shop.example). "
        "You can complain to: The Authority."
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_names_whatever_is_kept(language):
    bare = detail(language, kinds=["view"], field=fields())
    whole = detail(language, kinds=list(KINDS), field=fields(*FIELD_NAMES[4:]))

    # "a, b (time" → "a, b, c, d (time": each kind and each field beyond the basic four adds a word.
    assert whole.split("(")[0].count(",") == len(KINDS) - 1 + len(FIELD_NAMES) - 4
    assert bare.split("(")[0].count(",") == 0


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("change", [{"max_events": 500}, {"contexts": ["kiosk"]}])
def test_a_bound_and_other_contexts_are_told_in_each_language(language, change):
    ((_, said),) = change.items()

    assert str(said if isinstance(said, int) else said[0]) in detail(language, **change)
    assert detail(language, **change) != detail(language)
