"""How fast the history is, beside plain SQLite and SQLCipher in the same run.

    python tests/benchmarks/history/speed.py [--events 100096] [--folder DIR] [--json FILE]

Every store keeps the same events, with 16-byte ids, and waits for the disk at every commit. The
figures that hold on a shared machine are CPU time (user and system) and syncs; wall time is given
beside them and varies. Syncs are counted by strace, where there is one. SQLCipher comes from the
package index into an environment of its own (`--environment DIR` keeps it). About two minutes.

The aims (issue 5): 100,000 events opened, verified and in arrays within 100 ms of CPU; at most 48
bytes an event; one durable append within 5 syncs and 1 ms of CPU; batches of 128 at most 10
microseconds of CPU an event; rotation within 100 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
TESTS: Final = HERE.parents[1]
STORES: Final = ("shelfrank", "sqlite", "sqlcipher")
TRACED: Final = 50
"""Single appends under strace, after one that makes the files."""

SYNC: Final = re.compile(r"^(?:\d+ +)?(?:fsync|fdatasync)\(")

# What is measured, its unit, the aim for our own (or None), digits.
ROWS: Final = (
    ("load_cpu_ms", "open, verify, load: CPU ms", 100.0, 1),
    ("load_ms", "open, verify, load: wall ms", None, 1),
    ("bytes_per_event", "bytes an event", 48.0, 1),
    ("single_syncs", "one event: syncs", 5.0, 2),
    ("single_cpu_ms", "one event: CPU ms, mean", 1.0, 3),
    ("single_ms", "one event: wall ms, median", None, 2),
    ("batch_cpu_us_per_event", "batches of 128: CPU microseconds an event", 10.0, 1),
    ("batch_events_per_s", "batches of 128: events a second (wall)", None, 0),
    ("rotate_cpu_ms", "rotation: CPU ms", 100.0, 1),
    ("rotate_ms", "rotation: wall ms", None, 1),
    ("erase_cpu_ms", "erasing an item for good: CPU ms", None, 1),
    ("erase_ms", "erasing an item for good: wall ms", None, 1),
)


def sqlcipher_python(folder: Path) -> Path:
    """Make the environment of SQLCipher, unless it is there; return its interpreter."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, lock = folder / "made-from.lock", HERE / "requirements-sqlcipher.lock"
    if not stamp.is_file() or stamp.read_bytes() != lock.read_bytes():
        venv.create(folder, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(lock)]
        subprocess.run(command, check=True)  # noqa: S603 - our own arguments
        stamp.write_bytes(lock.read_bytes())
    return python


def run(python: Path, *arguments: str, trace: Path | None = None) -> dict[str, float]:
    """Run a step of `stores.py`; its answer."""
    command = [str(python), str(HERE / "stores.py"), *arguments]
    if trace is not None:
        strace = shutil.which("strace")
        assert strace is not None
        command = [strace, "-f", "-o", str(trace), "-e", "trace=fsync,fdatasync", *command]
    done = subprocess.run(  # noqa: S603 - our own arguments
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(TESTS)])}
        if str(python) == sys.executable
        else None,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def syncs_per_append(python: Path, store: str, folder: Path) -> float | None:
    """Return how often a single append waits for the disk, or None without strace."""
    if shutil.which("strace") is None:
        return None
    folder.mkdir()
    trace = folder / "trace.txt"
    counts = []
    for appended in (1, TRACED + 1):
        place = folder / f"traced-{appended}"
        run(python, store, "singles", str(place), str(appended), trace=trace)
        counts.append(sum(bool(SYNC.match(line)) for line in trace.read_text().splitlines()))
    return (counts[1] - counts[0]) / TRACED


def table(found: dict[str, dict[str, float]]) -> str:
    """Return the figures as a Markdown table."""
    lines = [f"| | {' | '.join(found)} | aim |", f"|---|{'---|' * len(found)}---|"]
    for key, words, aim, digits in ROWS:
        cells = [
            f"{figures[key]:.{digits}f}" if key in figures else "–" for figures in found.values()
        ]
        lines.append(f"| {words} | {' | '.join(cells)} | {'' if aim is None else f'{aim:g}'} |")
    return "\n".join(lines)


def main() -> int:
    """Measure, print, and say by the exit code whether the aims are met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=100_096, help="a multiple of 128")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: temporary")
    parser.add_argument("--environment", type=Path, help="where SQLCipher's is made and kept")
    parser.add_argument("--without-sqlcipher", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=given.folder) as temporary:
        root = Path(temporary)
        stores = STORES[:-1] if given.without_sqlcipher else STORES
        for store in stores:
            print(f"{store} …", file=sys.stderr, flush=True)
            python = Path(sys.executable)
            if store == "sqlcipher":
                python = sqlcipher_python(given.environment or root / "environment")
            found[store] = run(python, store, "measure", str(root / store), str(given.events))
            syncs = syncs_per_append(python, store, root / f"{store}-traced")
            if syncs is not None:
                found[store]["single_syncs"] = syncs
    print(table(found))
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    missed = [
        words for key, words, aim, _ in ROWS if aim and found["shelfrank"].get(key, 0.0) > aim
    ]
    for words in missed:
        print(f"missed: {words}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
