"""``shelfrank privacy evidence``: one folder that counsel can read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shelfrank_training.cli import console
from shelfrank_training.cli.bundle import Time
from shelfrank_training.cli.options import clock_time, known_presets

if TYPE_CHECKING:
    from datetime import datetime

_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("evidence")
@click.argument("policy", type=_EXISTING)
@click.argument("bundle", type=_EXISTING, required=False)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write.",
)
@click.option(
    "--preset",
    "presets",
    multiple=True,
    metavar="ID",
    callback=known_presets,
    help="A law to hold it against; may be repeated. Default: those the policy names.",
)
@click.option(
    "--tests", type=_EXISTING, help="A report of a test run to put in, such as JUnit XML."
)
@click.option(
    "--trust", type=_EXISTING, help="The application's root.json: verify the bundle first."
)
@click.option("--at", type=Time(), help="Date it so. Default: now. Same inputs, same bytes.")
@click.option("--force", is_flag=True, help="Replace an older folder of evidence.")
def command(
    policy: Path,
    bundle: Path | None,
    out: Path,
    presets: tuple[str, ...],
    tests: Path | None,
    trust: Path | None,
    at: datetime | None,
    force: bool,
) -> int:
    """Gather what counsel needs to judge POLICY, and BUNDLE, into one folder.

    Policy, notices in all languages, inventory, check, label, promises with their tests. Exit 1 if
    a rule of the check fails or something is kept for nothing; the folder says so.
    """
    from shelfrank.bundle.files import read_bundle_file
    from shelfrank_training.folders import check_out, replace_folder
    from shelfrank_training.privacy.evidence import INDEX, Subject, gather
    from shelfrank_training.publish.label_source import read_label

    now = at or clock_time()
    check_out(out, marker=INDEX, what="evidence", overwrite=force)
    subject = Subject(
        policy=policy.read_bytes(),
        bundle=None if bundle is None else read_bundle_file(bundle),
        label=None if bundle is None else read_label(bundle, trust=trust, now=now),
        presets=presets,
        tests=None if tests is None else tests.read_bytes(),
        at=now,
    )
    evidence = gather(subject)
    replace_folder(out, evidence.files.items())
    console.say(f"{out}: {len(evidence.files)} files, start with {INDEX}")
    if not evidence.sound:
        console.say(f"a rule fails, or something is kept for nothing: see {INDEX}")
    return 0 if evidence.sound else 1
