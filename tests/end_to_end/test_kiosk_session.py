"""A guest's session in `examples/kiosk` ends, whatever happens in it."""

from __future__ import annotations

import runpy
from datetime import timedelta

import pytest

from shelfrank import testing
from support.examples import script

EXAMPLE = runpy.run_path(script("kiosk/kiosk.py"), run_name="kiosk")


@pytest.fixture
def clock():
    return testing.FixedClock()


def guest(clock):
    """Return a session whose guest has said yes and looked at one thing."""
    session = EXAMPLE["Guest"](
        bundle=testing.demo_bundle(), trust=testing.demo_root(), clock=clock, language="en"
    )
    session.agree(session.notice())
    session.touch_item("espresso-machine")
    return session


def test_a_guest_sees_a_personal_ranking_with_reasons_for_bystanders(clock):
    with guest(clock) as session:
        first, second, *_ = session.screen()

    assert [item for item, _ in (first, second)] == ["espresso-machine", "tamper"]
    assert {why for _, why in (first, second)} == {"Based on your choices in this shop."}


def test_nothing_is_known_when_the_session_has_ended(clock):
    with guest(clock) as session:
        pass

    assert {reason for _, reason in session.screen()} == {"Popular with many shoppers right now."}


def test_nothing_is_known_after_a_session_that_failed(clock):
    session = guest(clock)
    with pytest.raises(RuntimeError, match="screen"), session:
        raise RuntimeError("the screen broke")

    assert "tamper" not in dict(session.screen())


def test_a_guest_has_left_after_a_minute_without_a_touch(clock):
    with guest(clock) as session:
        clock.advance(timedelta(seconds=59))
        assert not session.has_left
        session.touch_item("milk-jug")
        clock.advance(timedelta(seconds=59))
        assert not session.has_left
        clock.advance(timedelta(seconds=1))
        assert session.has_left
