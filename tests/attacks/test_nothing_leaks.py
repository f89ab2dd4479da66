"""Nothing about the shopper leaves the device: no file elsewhere, no socket, log or error (P1, P2).

The processes here run without ``CI``, which switches onnxruntime's telemetry off by itself, and
with a home and a cache of their own.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shelfrank import Device, keys
from shelfrank.errors import HistoryError, HistoryFullError, ShelfrankError
from shelfrank.history.store import History
from shelfrank.types import RANK_PURPOSE
from support import corner_shop, life
from support.corner_shop import TEA
from support.home import SECRET, Home, bundle, grant
from support.publisher import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TESTS = Path(__file__).parent.parent

CANARIES = (TEA, "Canary tea", SECRET.decode(), SECRET.hex(), repr(SECRET)[2:-1])


class Process:
    """Runs Python in a private home.

    Args:
        root: holds ``home``, ``cache``, ``tmp``, and ``device``, the one folder that may change.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.device = root / "device"
        for name in ("home", "cache", "tmp", "device"):
            (root / name).mkdir()
        (self.device / "shop.shelfrank").write_bytes(bundle())
        (self.device / "root.json").write_bytes(corner_shop.TRUST)

    def run(
        self, *arguments: str, tracer: tuple[str, ...] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        kept = {
            name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ
        }
        return subprocess.run(  # noqa: S603 - our own interpreter
            [*tracer, sys.executable, *arguments],
            env={
                **kept,
                "HOME": str(self.root / "home"),
                "XDG_CACHE_HOME": str(self.root / "cache"),
                "TMPDIR": str(self.root / "tmp"),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": str(TESTS),
                **environment,
            },
            cwd=self.root / "home",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def live(self, tracer: tuple[str, ...] = (), **environment: str) -> dict[str, Any]:
        done = self.run("-m", "support.life", str(self.device), tracer=tracer, **environment)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def strays(self) -> list[str]:
        """Return every file outside the device's folder."""
        return [
            str(path.relative_to(self.root))
            for path in self.root.rglob("*")
            if path.is_file() and self.device not in path.parents
        ]


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path)


# --- Files and sockets ---


def test_a_whole_life_leaves_no_file_outside_the_folder_it_was_given(process: Process) -> None:
    found = process.live()

    assert found["modes"] == ["personal", "personal"]
    assert process.strays() == []
    assert found["kept"] == [
        "bundle",
        "choices",
        "history.anchor",
        "history.db",
        "history.db-journal",
        "journal",
    ]
    assert sorted(path.name for path in process.device.iterdir()) == [
        "profile",
        "root.json",
        "shop.shelfrank",
    ]


def test_the_unguarded_runtime_does_leave_files_so_that_the_test_above_can_fail(
    process: Process,
) -> None:
    if tuple(map(int, version("onnxruntime").split(".")[:2])) < (1, 29):
        pytest.skip("onnxruntime before 1.29 writes no telemetry")

    done = process.run("-c", "import onnxruntime")

    assert done.returncode == 0, done.stderr
    assert process.strays(), "onnxruntime changed: read its telemetry again and mend the guard"


@pytest.fixture
def strace(tmp_path: Path) -> tuple[str, ...]:
    """Return the command that traces sockets and files that are made, where that is permitted."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed (apt-get install strace)")
    probe = [found, "-f", "-o", str(tmp_path / "probe"), "true"]
    if subprocess.run(probe, check=False, capture_output=True).returncode != 0:  # noqa: S603
        pytest.skip("this machine does not permit ptrace")
    calls = "trace=socket,connect,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link"
    return (found, "-f", "-qq", "-s", "4096", "-e", calls, "-o", str(tmp_path / "trace"))


def made(trace: str) -> Iterator[str]:
    """Yield the first path of every call that makes something."""
    for line in trace.splitlines():
        call = re.search(r"(\w+)\(.*?\"([^\"]*)\"", line)
        if call is None or " = -1 " in line:
            continue
        if call[1] in {"open", "openat"} and "O_CREAT" not in line:
            continue
        yield call[2]


def sockets(trace: str) -> list[str]:
    return [line for line in trace.splitlines() if "AF_INET" in line or "AF_PACKET" in line]


def test_at_the_level_of_system_calls_a_life_opens_no_socket_and_makes_no_file_elsewhere(
    process: Process, strace: tuple[str, ...]
) -> None:
    process.live(tracer=strace)

    trace = (process.root / "trace").read_text()
    paths = list(made(trace))
    assert str(process.device / "profile" / "history.db") in paths
    assert sockets(trace) == []
    assert [path for path in paths if not path.startswith(str(process.device / "profile"))] == []


def test_the_trace_would_show_a_socket_and_a_file(
    process: Process, strace: tuple[str, ...]
) -> None:
    script = (
        "import socket, pathlib; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(); "
        "pathlib.Path('stray').touch()"
    )
    assert process.run("-c", script, tracer=strace).returncode == 0

    trace = (process.root / "trace").read_text()
    assert len(sockets(trace)) == 1
    assert "stray" in list(made(trace))


# --- The guard (P2) ---

_OPEN = "import shelfrank; shelfrank.Device.open(None, bundle=None, trust=None)"


@pytest.mark.parametrize("value", ["0", "", "false", "yes"])
def test_an_explicit_other_word_is_not_overruled_and_the_device_refuses(
    process: Process, value: str
) -> None:
    done = process.run("-c", _OPEN, ORT_DISABLE_TELEMETRY=value)

    assert done.returncode == 1
    assert "RuntimeGuardError" in done.stderr
    assert repr(value) in done.stderr
    assert process.strays() == []


def test_a_runtime_imported_first_is_refused(process: Process) -> None:
    late = process.run("-c", f"import onnxruntime; {_OPEN}")
    in_time = process.run("-c", _OPEN.replace(";", "; import onnxruntime;", 1))

    assert late.returncode == in_time.returncode == 1
    assert "RuntimeGuardError" in late.stderr
    assert "RuntimeGuardError" in in_time.stderr


def test_with_the_switch_set_or_unset_the_device_opens(process: Process) -> None:
    assert process.run("-c", _OPEN).returncode == 0
    assert process.run("-c", _OPEN, ORT_DISABLE_TELEMETRY="1").returncode == 0
    assert process.strays() == []


# --- Weight (W1) ---

HEAVY = {"numpy", "onnxruntime", "cryptography"}
TALKATIVE = {"socket", "ssl", "http", "asyncio", "subprocess", "urllib.request", "multiprocessing"}


def test_importing_shelfrank_loads_nothing_heavy_and_a_life_nothing_talkative(
    process: Process,
) -> None:
    found = process.live()

    # Modules that the interpreter's own start-up loads (an editable install may) do not count.
    bare = process.run("-c", "import sys, json; print(json.dumps(sorted(sys.modules)))")
    already = set(json.loads(bare.stdout))
    imported = {name.partition(".")[0] for name in found["after_import"]}
    assert imported & HEAVY == set()
    assert {name.partition(".")[0] for name in found["after_life"]} >= HEAVY
    assert (set(found["after_life"]) - already) & TALKATIVE == set()
    assert not [name for name in found["after_life"] if name.startswith("shelfrank_training")]


def test_the_names_of_the_life_are_those_looked_for() -> None:
    assert (life.ITEM, life.SECRET) == (TEA, SECRET)


# --- Logs, representations, errors, files ---


def canaries_in(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


def own_frames(error: BaseException) -> str:
    """Return what an error reporter sees of shelfrank: messages, frames with their locals."""
    told: traceback.TracebackException | None
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    parts: list[str] = []
    while told is not None:
        parts.extend(told.format_exception_only())
        parts.extend(
            f"{frame.name} {frame.locals}"
            for frame in told.stack
            if "/shelfrank/" in frame.filename
        )
        told = told.__cause__ or told.__context__
    return "\n".join(parts)


def every_error(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it hangs on, suppressed or not: reporters differ."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is not None and id(current) not in seen:
            seen.add(id(current))
            yield current
            waiting += [current.__cause__, current.__context__]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    with home.open() as device:
        grant(device)
        device.record("purchase", TEA)
    return home


def test_a_life_at_debug_level_logs_prints_and_warns_nothing_of_the_shopper(
    home: Home, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with home.open() as device:
        device.record("like", TEA)
        page = device.rank()
        page[0].why()
        told = repr(
            [device, page, *page, device.consent, device._history, home.key, device._ranker]
        )
        left = device.consent.withdraw(RANK_PURPOSE)
        told += repr([left, device.consent.receipts(), device.consent.journal()])
        told += device.consent.journal_text("nl")
        device.erase()

    printed = capfd.readouterr()
    assert canaries_in(caplog.text + printed.out + printed.err + told) == []
    assert (printed.out, printed.err) == ("", "")


def test_no_file_holds_an_item_a_title_or_the_key(home: Home) -> None:
    with home.open() as device:
        device.record("view", TEA)
        open_files = home.files()
    closed_files = home.files()

    for files in (open_files, closed_files):
        assert files
        for name, data in files.items():
            for canary in (TEA.encode(), b"Canary", SECRET, SECRET.hex().encode()):
                assert canary not in data, name


def _full(*_: object) -> None:
    raise HistoryFullError("no space left on the disk")


def _bug(*_: object) -> None:
    raise AssertionError("a mistake of ours")


def _append_fails(device: Device, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("shelfrank.history.store.append_records", _full)
    device.record("view", TEA)


def _append_has_a_bug(device: Device, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("shelfrank.history.store.append_records", _bug)
    device.record("view", TEA)


def _sealing_fails(device: Device, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("shelfrank.history.contents.seal", _full)
    device.record("view", TEA)


def _reading_has_a_bug(device: Device, patch: pytest.MonkeyPatch) -> None:
    _let_another_write(device)
    patch.setattr("shelfrank.history.blocks._texts", _bug)
    device.rank()


def _withdrawing_has_a_bug(device: Device, patch: pytest.MonkeyPatch) -> None:
    _let_another_write(device)
    patch.setattr("shelfrank.history.blocks._texts", _bug)
    device.consent.withdraw(RANK_PURPOSE)


def _let_another_write(device: Device) -> None:
    """Write as another process would, so that the device reads its history anew."""
    assert device._folder is not None
    assert device.bundle is not None
    with Device.open(
        device._folder,
        bundle=bundle(),
        trust=corner_shop.TRUST,
        key=keys.host(SECRET),
        clock=device._clock,
    ) as other:
        other.record("view", TEA)


def _unknown_kind(device: Device, _: pytest.MonkeyPatch) -> None:
    device.record("canary", TEA)  # type: ignore[arg-type]


def _bad_quantity(device: Device, _: pytest.MonkeyPatch) -> None:
    device.record("view", TEA, quantity=float("inf"))


def _ranker_has_a_bug(device: Device, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("shelfrank.ranking.inputs._newest_first", _bug)
    device.rank()


def _graph_fails(device: Device, _: pytest.MonkeyPatch) -> None:
    assert device._ranker is not None
    session = device._ranker._session
    events = device._history.events(RANK_PURPOSE)
    inputs = device._ranker.scores(events, now=NOW)
    assert inputs.score.size
    session._session = None
    device._ranker.rank(events, now=NOW)


def _withdrawal_fails(device: Device, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("shelfrank.history.store.rewrite", _bug)
    device.consent.withdraw(RANK_PURPOSE)


def _erasing_fails(device: Device, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("shelfrank.history.store._destroy", _full)
    device.erase()


@pytest.mark.parametrize(
    "fail",
    [
        _append_fails,
        _append_has_a_bug,
        _sealing_fails,
        _reading_has_a_bug,
        _withdrawing_has_a_bug,
        _unknown_kind,
        _bad_quantity,
        _ranker_has_a_bug,
        _graph_fails,
        _withdrawal_fails,
        _erasing_fails,
    ],
)
def test_an_error_with_all_locals_tells_nothing_of_the_shopper(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    fail: Callable[[Device, pytest.MonkeyPatch], None],
) -> None:
    with home.open() as device:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - any error at all
            fail(device, monkeypatch)
        monkeypatch.undo()

    for error in every_error(caught.value):
        assert canaries_in(own_frames(error)) == []


@pytest.mark.parametrize("name", ["history.db", "history.anchor"])
def test_an_error_at_opening_tells_nothing_of_the_shopper(home: Home, name: str) -> None:
    path = home.folder / name
    data = bytearray(path.read_bytes())
    for place in range(0, len(data), 7):
        data[place] ^= 0xFF
    path.write_bytes(data)

    with pytest.raises(ShelfrankError) as caught:
        home.open()

    for error in every_error(caught.value):
        assert canaries_in(own_frames(error)) == []


def test_a_mistake_while_opening_tells_nothing_of_the_shopper(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shelfrank.history.blocks._texts", _bug)

    with pytest.raises(AssertionError, match="a mistake of ours") as caught:
        home.open()

    for error in every_error(caught.value):
        assert canaries_in(own_frames(error)) == []


def test_a_wrong_key_is_told_without_either_key(home: Home) -> None:
    with pytest.raises(HistoryError) as caught:
        home.open(key=keys.host(b"canary-key-of-somebody-else"))

    for error in every_error(caught.value):
        assert canaries_in(own_frames(error)) == []
        assert "somebody-else" not in own_frames(error)


def test_the_frames_that_are_looked_at_would_show_an_item(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: under the device, frames do hold the item."""
    seen: list[str] = []

    def look(*_: object) -> None:
        frame = sys._getframe()
        while frame is not None:
            seen.append(
                str(dict(frame.f_locals)) if "/shelfrank/" in frame.f_code.co_filename else ""
            )
            frame = frame.f_back  # type: ignore[assignment] # the end is None
        raise HistoryFullError("no space left on the disk")

    with home.open() as device:
        monkeypatch.setattr(History, "append", look)
        with pytest.raises(HistoryFullError):
            device.record("view", TEA)

    assert canaries_in("".join(seen)) == [TEA]


def test_the_apps_own_errors_keep_their_locals(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with home.open() as device:
        monkeypatch.setattr(History, "append", _full)
        with pytest.raises(HistoryFullError) as caught:
            _handle_something_else(lambda: device.record("view", TEA))

    context = caught.value.__context__
    assert isinstance(context, KeyError)
    told = traceback.TracebackException.from_exception(context, capture_locals=True)
    frames: list[Mapping[str, str]] = [frame.locals or {} for frame in told.stack]
    assert any(frame.get("mine") == "'of the app'" for frame in frames)


def _handle_something_else(act: Callable[[], object]) -> None:
    def break_something() -> None:
        mine = "of the app"
        raise KeyError(mine)

    try:
        break_something()
    except KeyError:
        act()
