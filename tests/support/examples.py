"""Run an example as its reader does: in a process of its own, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"


def run(*command: str, folder: Path, answers: str = "", seconds: float = 300) -> str:
    """Run a command and return what it printed.

    Args:
        command: ``python`` and ``shelfrank`` are those of the running environment.
        folder: where it runs; also its home and its place for temporary files, so that a test can
            look at everything it wrote.
        answers: its standard input.
        seconds: after which it is ended.

    Raises:
        AssertionError: it failed.
    """
    scripts = sysconfig.get_path("scripts")
    places = [str(Path(sys.executable).parent), scripts, os.environ.get("PATH", "")]
    surroundings = {
        **os.environ,
        "PATH": os.pathsep.join(places),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONIOENCODING": "utf-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "",
    }
    done = subprocess.run(  # noqa: S603 - our own examples
        command,
        cwd=folder,
        env=surroundings,
        input=answers,
        capture_output=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def script(name: str) -> str:
    """Return the path of a file below ``examples/``."""
    return str(EXAMPLES / name)
