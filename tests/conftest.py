"""Settings of all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline anywhere: speed is measured by benchmarks, and a busy machine must not fail a test.
settings.register_profile("dev", deadline=None)
# The same examples on every run: a red CI means a change, not a draw. New examples come up in dev.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
