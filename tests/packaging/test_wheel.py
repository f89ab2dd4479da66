"""What people install: both packages, types, licence, no more; light, and quiet from there too."""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import shelfrank
from support import corner_shop
from support.home import bundle

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"

DEVICE_NEEDS = {"numpy", "onnxruntime", "cryptography"}
HEAVY = {
    "numpy", "onnxruntime", "cryptography", "sklearn", "skl2onnx", "onnx", "duckdb", "ibis",
    "pyarrow", "scipy", "matplotlib", "pandas",
}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="building the wheel needs the group `build`")
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(  # noqa: S603 - our own build
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("shelfrank-*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    return place


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def run(*arguments: str, path: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *arguments],
        env=env | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# --- The wheel ---


def test_the_wheel_holds_both_packages_and_their_types_and_nothing_else(wheel: Path) -> None:
    inside = names(wheel)
    tops = {name.partition("/")[0] for name in inside}
    version = shelfrank.__version__

    assert tops == {"shelfrank", "shelfrank_training", f"shelfrank-{version}.dist-info"}
    assert {"shelfrank/py.typed", "shelfrank_training/py.typed"} <= set(inside)
    assert not [name for name in inside if "test_" in name or "__pycache__" in name]


def test_every_module_of_the_sources_is_in_the_wheel(wheel: Path) -> None:
    inside = set(names(wheel))
    for top in ("sdk/shelfrank", "training/shelfrank_training"):
        place = ROOT / top
        modules = [path.relative_to(place.parent).as_posix() for path in place.rglob("*.py")]
        assert modules
        assert set(modules) <= inside


def test_the_data_that_code_reads_is_in_the_wheel(wheel: Path) -> None:
    inside = set(names(wheel))

    assert "shelfrank_training/demo/policy.toml" in inside
    assert "shelfrank_training/evaluate/report.css" in inside
    assert "shelfrank_training/privacy/promises.toml" in inside
    assert "shelfrank/consent/presets/eu_gdpr.toml" in inside
    assert [name for name in inside if name.startswith("shelfrank/testing/data/")]


def test_the_wheel_carries_licence_needs_and_the_command(wheel: Path) -> None:
    inside = names(wheel)
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [name for name in inside if name.endswith("/METADATA")]
        metadata = Parser().parsestr(archive.read(path).decode())
        (path,) = [name for name in inside if name.endswith("/entry_points.txt")]
        commands = archive.read(path).decode()

    assert [name for name in inside if name.endswith("/licenses/LICENSE")]
    assert metadata["License-Expression"] == "Apache-2.0"
    needs = [need for need in metadata.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert {need.partition(">")[0] for need in needs} == DEVICE_NEEDS
    assert set(metadata.get_all("Provides-Extra", [])) == {
        "training", "spark", "keyring", "kiosk", "demo",
    }  # fmt: skip
    assert "shelfrank = shelfrank_training.cli:main" in commands


def test_a_device_lives_from_the_wheel_alone_and_leaves_nothing_elsewhere(
    unpacked: Path, tmp_path: Path
) -> None:
    for name in ("home", "cache", "device"):
        (tmp_path / name).mkdir()
    (tmp_path / "device" / "shop.shelfrank").write_bytes(bundle())
    (tmp_path / "device" / "root.json").write_bytes(corner_shop.TRUST)
    script = (
        f"import sys; sys.path[:0] = [{str(unpacked)!r}, {str(TESTS)!r}]\n"
        f"import shelfrank; assert shelfrank.__file__.startswith({str(unpacked)!r})\n"
        "import json; from pathlib import Path; from support import life\n"
        f"print(json.dumps(life.live(Path({str(tmp_path / 'device')!r}))['modes']))"
    )

    done = run("-c", script, HOME=str(tmp_path / "home"), XDG_CACHE_HOME=str(tmp_path / "cache"))

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["personal", "personal"]
    elsewhere = [*(tmp_path / "home").rglob("*"), *(tmp_path / "cache").rglob("*")]
    assert elsewhere == []


# --- The public names ---


def test_the_public_names_are_sorted_importable_and_all_there_is() -> None:
    assert shelfrank.__all__ == sorted(shelfrank.__all__)
    for name in shelfrank.__all__:
        assert getattr(shelfrank, name) is not None
    assert dir(shelfrank) == sorted([*shelfrank.__all__, "__version__"])
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = shelfrank.nothing


def test_what_types_see_is_what_import_gives() -> None:
    tree = ast.parse((ROOT / "sdk/shelfrank/__init__.py").read_text())
    (guarded,) = [node for node in tree.body if isinstance(node, ast.If)]
    told = {
        alias.name: node.module
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert sorted(told) == shelfrank.__all__
    for name, module in told.items():
        assert module is not None
        if module != "shelfrank":
            assert getattr(shelfrank, name) is getattr(importlib.import_module(module), name)


# --- The command ---


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["--version"], ["no-such-command"], ["privacy", "-h"]]
)
def test_the_overview_of_the_command_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import json, sys\n"
        "from shelfrank_training.cli.main import run\n"
        f"code = run({arguments!r})\n"
        "print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)"
    )

    done = run("-c", script)

    assert done.returncode == 0, done.stderr
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == (2 if arguments == ["no-such-command"] else 0)
    assert {name.partition(".")[0] for name in modules} & HEAVY == set()


@pytest.mark.parametrize("command", ["aggregate", "train", "evaluate", "bundle", "privacy", "demo"])
def test_every_command_is_listed_and_explains_itself(command: str) -> None:
    script = "import sys; from shelfrank_training.cli.main import run; sys.exit(run(sys.argv[1:]))"

    overview, own = run("-c", script, "--help"), run("-c", script, command, "-h")

    assert overview.returncode == 0, overview.stderr
    assert f"  {command} " in overview.stdout
    assert own.returncode == 0, own.stderr
    assert f"Usage: shelfrank {command} " in own.stdout


def test_without_the_extra_the_command_names_it() -> None:
    script = (
        "import sys; sys.modules['click'] = None\n"
        "from shelfrank_training.cli import main; sys.argv = ['shelfrank']; main()"
    )

    done = run("-c", script)

    assert done.returncode == 1
    assert "pip install '.[training]'" in done.stderr
