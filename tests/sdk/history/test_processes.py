"""Several processes, and processes that die: what was acknowledged is there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.histories import Profile, items_of, new_event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

KILLS = 10

# Appends for ever, or `count` events, and says on stdout what is acknowledged.
WRITER = """
import itertools, sys
from pathlib import Path
from support.histories import Profile, new_event
name, root, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
with Profile(root).open() as history:
    for number in range(count) if count else itertools.count():
        item = f"{name}-{number}"
        history.append([new_event(item, minutes=number)])
        print(item, flush=True)
"""

# Records and erases for ever; "+item" and "-item" say what is acknowledged.
ERASER = """
import itertools, sys
from pathlib import Path
from support.histories import Profile, new_event
name, root = sys.argv[1], Path(sys.argv[2])
with Profile(root).open() as history:
    for number in itertools.count():
        item = f"{name}-{number}"
        history.append([new_event(item, minutes=number)])
        print(f"+{item}", flush=True)
        if number % 3 == 2:
            print(f"?{item}", flush=True)
            history.erase(lambda stored: stored.event.item_id == item)
            print(f"-{item}", flush=True)
"""


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return Profile(tmp_path)


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    environment = {"PYTHONPATH": ":".join(sys.path)}
    return subprocess.Popen(  # noqa: S603 our own code
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def lines_until_killed(process: subprocess.Popen[str], after: int) -> Iterator[str]:
    """Yield what the process says; kill it without warning once it has said `after` lines."""
    assert process.stdout is not None
    with process:
        for number, line in enumerate(process.stdout, start=1):
            yield line.strip()
            if number == after:
                process.kill()


def test_no_acknowledged_event_is_lost_when_a_writer_is_killed(
    profile: Profile, tmp_path: Path
) -> None:
    acknowledged: list[str] = []

    for kill in range(KILLS):
        writer = start(WRITER, f"run{kill}", tmp_path, 0)
        acknowledged += lines_until_killed(writer, after=3 + 4 * kill)
        with profile.open() as history:
            stored = set(items_of(history))
            assert stored >= set(acknowledged)
            # At most the one that was on its way when its writer died.
            assert len(stored) <= len(acknowledged) + kill + 1
            assert (history.damaged, history.lost) == ((), 0)


def test_a_rotation_that_is_killed_leaves_the_old_or_the_new_state(
    profile: Profile, tmp_path: Path
) -> None:
    for kill in range(6):
        said = list(lines_until_killed(start(ERASER, f"run{kill}", tmp_path), after=4 + kill))
        kept = {line[1:] for line in said if line[0] == "+"}
        erased = {line[1:] for line in said if line[0] == "-"}
        uncertain = {line[1:] for line in said if line[0] == "?"} - erased

        with profile.open() as history:
            stored = {item for item in items_of(history) if item.startswith(f"run{kill}-")}
            assert stored >= kept - erased - uncertain
            assert not stored & erased
            assert history.damaged == ()
        # Opening has settled which key is the one: there is no second.
        assert profile.key_path.stat().st_size < 21 + 2 * 52 + 32


def test_two_processes_create_and_append_at_once(profile: Profile, tmp_path: Path) -> None:
    writers = [start(WRITER, f"writer{number}", tmp_path, 40) for number in range(2)]

    acknowledged = [line.strip() for writer in writers for line in writer.communicate()[0].split()]

    assert [writer.returncode for writer in writers] == [0, 0]
    with profile.open() as history:
        assert sorted(items_of(history)) == sorted(acknowledged)
        assert len(acknowledged) == 80
        assert history.damaged == ()


def test_plain_text_is_in_no_file_even_when_a_writer_is_killed(
    profile: Profile, tmp_path: Path
) -> None:
    canary = "canary-4711-geheim"
    for kill in range(2):
        list(lines_until_killed(start(WRITER, canary, tmp_path, 0), after=20 + kill))
        assert all(canary.encode() not in data for data in profile.files().values())

    with profile.open() as history:
        history.append([new_event(canary)])
        assert canary in items_of(history)
