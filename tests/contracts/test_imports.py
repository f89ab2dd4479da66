"""Who may import whom (pyproject.toml, tool.importlinter), and that the rules would notice."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the sources below `root`."""
    path = [str(root / "sdk"), str(root / "training")]
    script = (
        f"import sys; sys.path[:0] = {path!r}\n"
        "from importlinter.cli import lint_imports\n"
        f"sys.exit(lint_imports(config_filename={str(root / 'pyproject.toml')!r}, no_cache=True))"
    )
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module", autouse=True)
def _linter() -> None:
    pytest.importorskip("importlinter", reason="import contracts need the group `lint`")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the sources to break."""
    for name in ("sdk", "training"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.md")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_import_contracts_hold() -> None:
    done = lint(ROOT)

    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


BREACHES = {
    "sdk/shelfrank/history/visits.py": "socket",
    "sdk/shelfrank/consent/rules.py": "shelfrank.history.visits",
    "sdk/shelfrank/bundle/scan.py": "onnxruntime",
    "sdk/shelfrank/types.py": "shelfrank.device",
    "sdk/shelfrank/ranking/why.py": "shelfrank_training.publish.keys",
    "training/shelfrank_training/evaluate/metrics.py": "shelfrank.history.store",
    "training/shelfrank_training/models/counts.py": "opendp",
    "training/shelfrank_training/aggregates/scope.py": "shelfrank_training.outcomes.maker",
}


def test_each_contract_would_notice(copy: Path) -> None:
    for name, forbidden in BREACHES.items():
        path = copy / name
        path.write_text(f"{path.read_text()}\nimport {forbidden}\n")
    (copy / "sdk/shelfrank/unplaced.py").touch()

    done = lint(copy)

    assert done.returncode == 1
    assert "Contracts: 0 kept, 7 broken." in done.stdout
    for name, forbidden in BREACHES.items():
        module = ".".join(Path(name).with_suffix("").parts[1:])
        assert f"{module} -> {forbidden} " in done.stdout
    assert "- shelfrank.unplaced" in done.stdout
