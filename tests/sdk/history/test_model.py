"""The history against the plainest thing it could be: a list (`support.faults.model`)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from support.faults.guards import without
from support.faults.model import HistoryMachine

SHORT = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

TestHistory = HistoryMachine.TestCase
TestHistory.settings = SHORT


def test_a_history_that_does_not_look_at_what_others_commit_differs_from_the_list() -> None:
    long = settings(SHORT, max_examples=200, database=None, phases=[Phase.generate])

    with without("fresh-state"), pytest.raises(Exception):  # noqa: B017, PT011 any difference at all
        run_state_machine_as_test(HistoryMachine, settings=long)
