"""Environments of the peers' own, since they get along neither with ours nor with each other."""

from __future__ import annotations

import os
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.peers.exchange import write_jobs
from shelfrank_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.peers.exchange import Job

HERE: Final = Path(__file__).parent

# Where `benchmarks` lies, for a Python that knows nothing of us.
_TESTS: Final = HERE.parents[1]

_STAMP: Final = "made-from.lock"


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment made from one lock file.

    Attributes:
        name: of the lock file.
        folder: where it is made; kept for the next run.
    """

    name: str
    folder: Path

    @property
    def lock(self) -> Path:
        """Exact versions with hashes; of torch those of the builds without CUDA alone."""
        return HERE / f"requirements-{self.name}.lock"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def prepare(self) -> None:
        """Make it, unless it was already made from the same lock file.

        pip is asked as it is set up: where its index serves torch with CUDA, 6 GB of it that the
        lock refuses, ``PIP_EXTRA_INDEX_URL`` or ``PIP_FIND_LINKS`` names a place with the CPU
        build.

        Raises:
            TrainingError: a package cannot be installed.
        """
        stamp = self.folder / _STAMP
        wanted = self.lock.read_bytes()
        if stamp.is_file() and stamp.read_bytes() == wanted:
            return
        venv.create(self.folder, with_pip=True, clear=True)
        self._run("-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(self.lock))
        stamp.write_bytes(wanted)

    def answer(self, task: Path, jobs: Sequence[Job], answers: Path) -> None:
        """Work off jobs, all in one process.

        Args:
            task: folder with what the peers are given.
            jobs: what to fit.
            answers: folder for what comes back.

        Raises:
            TrainingError: the process failed.
        """
        answers.mkdir(parents=True, exist_ok=True)
        file = answers / f"{self.name}.jobs.json"
        write_jobs(file, jobs)
        self._run("-m", "benchmarks.peers.theirs", str(task), str(file), str(answers))

    def _run(self, *arguments: str) -> None:
        # One thread a matrix product: implicit runs a thread for each core itself.
        threads = {"OPENBLAS_NUM_THREADS": "1"} if self.name == "implicit" else {}
        with self._log.open("ab") as log:
            done = subprocess.run(  # noqa: S603 - our own arguments
                [str(self.python), *arguments],
                env={**os.environ, **threads, "PYTHONPATH": str(_TESTS)},
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            last = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
            raise TrainingError(
                f"the environment {self.name} ended with exit code {done.returncode}: {last}",
                hint=f"all its messages are in {self._log}",
            )

    @property
    def _log(self) -> Path:
        return self.folder.with_suffix(".log")
