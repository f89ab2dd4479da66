"""The README's commands for the ML engineer run as they stand there, on a simulated shop."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.examples import EXAMPLES
from support.markdown import REPOSITORY

COMMANDS = re.compile(r"<!-- the ML engineer's commands -->\n```console\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Run the block once, in a folder with the files it names."""
    folder = tmp_path_factory.mktemp("readme")
    simulate = EXAMPLES / "train_on_your_data" / "simulate_shop.py"
    subprocess.run(  # noqa: S603 - our own script
        [sys.executable, simulate, folder], check=True, capture_output=True
    )
    policy = EXAMPLES / "train_on_your_data" / "policy.toml"
    (folder / "policy.toml").write_bytes(policy.read_bytes())
    found = COMMANDS.search((REPOSITORY / "README.md").read_text(encoding="utf-8"))
    assert found is not None
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(  # noqa: S603 - our own page
        ["bash", "-euo", "pipefail", "-c", found[1]],  # noqa: S607 - whichever bash there is
        cwd=folder,
        env={**os.environ, "PATH": path},
        check=True,
    )
    return folder


@pytest.mark.slow
def test_the_readmes_commands_end_with_a_bundle_that_verifies(shop):
    assert (shop / "shop-14.shelfrank").is_file()
    assert (shop / "report.html").is_file()
    assert (shop / "figures.json").is_file()
    assert (shop / "keys" / "root.key").stat().st_mode & 0o777 == 0o600
