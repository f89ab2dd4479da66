"""Children of a process that has imported everything: they start in a millisecond and can die.

No history may be open in the parent when it forks.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from typing import TYPE_CHECKING, Final, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[str], None]
    Work = Callable[[Say], None]

FAILED: Final = 70
"""Exit code of a child that ended by an exception; the exception is on its channel."""


class Child:
    """A forked process, and a pipe of lines from it.

    Args:
        work: runs in the child; takes a function that sends a line to the parent.
        ready: runs in the child first; then it waits for `release`, so that a tracer can attach.
            None does not wait.
    """

    def __init__(self, work: Work, *, ready: Callable[[], None] | None = None) -> None:
        self._reading, writing = os.pipe()
        gate, self._gate = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.channel = str(writing)
        """How a trace names what the child says to its parent."""
        with warnings.catch_warnings():
            # From Python 3.12 on: other threads may hold locks. Those of numpy do not.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            os.close(self._reading)
            os.close(self._gate)
            _live(work, writing, ready, gate)
        os.close(writing)
        os.close(gate)
        self._alive = True
        self._rest = b""
        self.exit_code = 0
        if ready is not None:
            os.read(self._reading, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        os.close(self._reading)
        os.close(self._gate)

    def fileno(self) -> int:
        """Return the reading end, for `select`."""
        return self._reading

    def release(self) -> None:
        """Let a child that waits begin."""
        os.write(self._gate, b"x")

    def kill(self) -> None:
        """End it without warning (SIGKILL), unless it has ended."""
        if self._alive:
            os.kill(self.pid, signal.SIGKILL)
            self.join()

    def has_ended(self) -> bool:
        """Say whether it has ended by itself."""
        if self._alive:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._alive = False
                self.exit_code = os.waitstatus_to_exitcode(status)
        return not self._alive

    def join(self) -> int:
        """Wait for its end; return its exit code, negative for a signal."""
        if self._alive:
            _, status = os.waitpid(self.pid, 0)
            self._alive = False
            self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code

    def some_lines(self) -> list[str] | None:
        """Return lines that have come, waiting for at least a piece; None at the end."""
        piece = os.read(self._reading, 65536)
        if not piece:
            return None
        *whole, self._rest = (self._rest + piece).split(b"\n")
        return [line.decode() for line in whole]

    def all_lines(self) -> list[str]:
        """Return all lines until the end; one that was cut by a kill is no line."""
        lines: list[str] = []
        while (some := self.some_lines()) is not None:
            lines += some
        return lines


def _wait_at(gate: int) -> None:
    while True:
        try:
            os.read(gate, 1)
        except OSError:  # A fault that was injected and hit this read: it is not meant.
            continue
        return


def _live(work: Work, writing: int, ready: Callable[[], None] | None, gate: int) -> NoReturn:
    def say(line: str) -> None:
        data = line.encode() + b"\n"
        while data:
            try:
                data = data[os.write(writing, data) :]
            except OSError:  # A fault that was injected and hit the channel: say it again.
                continue

    code = 0
    try:
        if ready is not None:
            ready()
            os.write(writing, b"r")
            _wait_at(gate)
        work(say)
    except BaseException:  # noqa: BLE001 nothing may escape into the parent's own code
        say("failed " + traceback.format_exc().replace("\n", " | "))
        code = FAILED
    finally:
        os._exit(code)
