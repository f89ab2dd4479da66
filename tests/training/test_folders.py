"""A folder is written whole or not at all, by runs that are killed and on disks that fill up."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from shelfrank_training.cli.main import run
from shelfrank_training.errors import DataError
from shelfrank_training.events import engine as engine_module
from shelfrank_training.events import open_engine
from shelfrank_training.folders import check_out, replace_folder
from shelfrank_training.held import held_folder, hold, release
from support.disks import fill, small_disk
from support.shop import Line, write_catalog, write_events

if TYPE_CHECKING:
    from pathlib import Path

OLD = {"mark": b"old", "more": b"old"}
NEW = {"mark": b"new", "more": b"new", "most": b"new"}

KILLED = """
    import os, shutil, signal, sys
    from pathlib import Path
    from shelfrank_training import folders, held

    left = int(sys.argv[2])

    def dies(does):
        def step(*arguments, **named):
            global left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return does(*arguments, **named)
        return step

    Path.mkdir, Path.rename = dies(Path.mkdir), dies(Path.rename)
    folders._write, folders.sync_folder = dies(folders._write), dies(folders.sync_folder)
    held.hold = folders.hold = dies(held.hold)
    shutil.rmtree = dies(shutil.rmtree)
    new = dict.fromkeys(["mark", "more", "most"], b"new")
    folders.replace_folder(Path(sys.argv[1]), new.items())
"""
"""Writes `NEW` and is killed before its step number argv[2]."""


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.Popen(  # noqa: S603 - our own code
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def content(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()} if out.exists() else {}


@pytest.mark.slow
@pytest.mark.parametrize("older", [True, False])
def test_a_run_killed_at_any_step_leaves_the_old_or_the_new_and_a_rerun_starts_clean(
    tmp_path: Path, older: bool
) -> None:
    seen = []
    for step in range(20):
        out = tmp_path / str(step) / "out"
        if older:
            replace_folder(out, OLD.items())
        with python(KILLED, str(out), str(step)) as process:
            process.communicate()
        before = content(out)
        left = {path.name for path in out.parent.iterdir()} - {"out"} if out.parent.exists() else ()

        check_out(out, marker="mark", what="such", overwrite=True)
        found = content(out)
        replace_folder(out, NEW.items())

        assert found in ((OLD, NEW) if older else ({}, NEW)), step
        assert before in (found, {}), step
        assert content(out) == NEW
        assert [path.name for path in out.parent.iterdir()] == ["out"]
        seen.append((bool(before), len(left)))
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
    assert process.returncode == 0
    # The moment in which nothing has the name was among them, with the old one moved aside.
    assert (False, 2 if older else 1) in seen


def test_the_folders_of_a_live_run_are_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with held_folder(tmp_path, ".out.") as live:
        (live / "file").write_bytes(b"being written")
        aside = tmp_path / f".out.{'0' * 16}.old"
        aside.mkdir()
        held = hold(aside)

        check_out(out, marker="mark", what="such", overwrite=False)
        replace_folder(out, NEW.items())

        assert (live / "file").exists()
        assert aside.exists()
        release(held)
    assert not live.exists()
    check_out(out, marker="mark", what="such", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_folders_of_other_names_are_nobodys_leftovers(tmp_path: Path) -> None:
    names = [".out", ".out.d", ".outer.0123456789abcdef", "out.0123456789abcdef", "x.out.old"]
    for name in names:
        (tmp_path / name).mkdir()

    check_out(tmp_path / "out", marker="mark", what="such", overwrite=False)

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@pytest.mark.parametrize("older", [True, False])
def test_a_full_disk_changes_nothing_and_says_so(tmp_path: Path, older: bool) -> None:
    with small_disk(tmp_path / "disk", kib=128) as disk:
        out = disk / "out"
        if older:
            replace_folder(out, OLD.items())
        large = {"mark": b"new", "more": bytes(256 * 1024)}

        with pytest.raises(DataError, match="out cannot be written: No space left") as caught:
            replace_folder(out, large.items())

        assert "make room" in str(caught.value.hint)
        assert content(out) == (OLD if older else {})
        assert [path.name for path in disk.iterdir()] == ["out"] * older


def test_aggregate_on_a_full_disk_is_a_clear_error_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [Line(shopper=f"s{number}", item=item) for number in range(12) for item in "ab"]
    events = write_events(tmp_path / "events.csv", lines)
    catalog = write_catalog(tmp_path / "catalog.csv", {"a": "X", "b": "Y"})
    with small_disk(tmp_path / "disk", kib=64) as disk:
        fill(disk)

        code = run(
            [
                "aggregate",
                str(events),
                str(catalog),
                "--out",
                str(disk / "out"),
                "--min-shoppers",
                "10",
            ]
        )

        assert code == 1
        assert "cannot be written: No space left on device" in capsys.readouterr().err
        assert [path.name for path in disk.iterdir()] == ["other"]


SPILLS = """
    import sys
    from pathlib import Path
    from tempfile import gettempdir
    from shelfrank_training.events import open_engine

    with open_engine():
        (folder,) = set(Path(gettempdir()).glob("shelfrank-spill-*")) - set(map(Path, sys.argv[1:]))
        (folder / "raw events").write_bytes(b"spilled")
        print(folder, flush=True)
        sys.stdin.read()
"""


@pytest.mark.slow
def test_what_a_killed_run_spilled_is_removed_by_the_next_and_a_live_runs_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(engine_module, "gettempdir", lambda: str(tmp_path))
    with python(SPILLS) as process:
        assert process.stdout is not None
        spilled = tmp_path / process.stdout.readline().strip()
        assert spilled.stat().st_mode & 0o777 == 0o700
        with open_engine():
            assert (spilled / "raw events").exists()
        process.kill()
    assert (spilled / "raw events").exists()

    with open_engine():
        assert not spilled.exists()

    assert not list(tmp_path.iterdir())


def sort_a_lot() -> None:
    with open_engine() as engine:
        engine.con.execute("SET threads = 1; SET memory_limit = '8MB'")
        engine.con.execute("SELECT sha256(range::text) AS text FROM range(1000000) ORDER BY text")


@pytest.mark.slow
def test_a_full_disk_under_the_engine_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk", kib=256) as disk:
        monkeypatch.setattr(engine_module, "gettempdir", lambda: str(disk))

        with pytest.raises(DataError, match="the engine stopped") as caught:
            sort_a_lot()

        assert "more room" in str(caught.value.hint)
        assert not list(disk.iterdir())
