"""``shelfrank bundle``: make keys; build, sign, verify and show bundles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shelfrank_training.cli import console
from shelfrank_training.cli.options import clock_time

if TYPE_CHECKING:
    from shelfrank_training.publish.card import Measured

_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
_SECRET = click.Path(exists=True, dir_okay=False, allow_dash=True)
_PASSPHRASE = click.option(
    "--passphrase-file",
    type=_SECRET,
    help="File with the passphrase of the key files in its first line; - for stdin.",
)
_FORCE = click.option("--force", is_flag=True, help="Replace files that are there.")
# A year: long enough for a shop that updates rarely, short enough that a lost key ends by itself.
_VALIDITY_DAYS = 365
# A root is replaced by hand, from the safe; ten years would outlive most safes' owners.
_ROOT_VALIDITY_DAYS = 5 * 365


class Time(click.ParamType):  # type: ignore[type-arg] # generic since 8.4 only
    """A moment in ISO 8601; without a zone it is UTC, as in all our tables."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return an aware UTC time, or say what is wrong with the option."""
        if isinstance(value, datetime):
            return value
        try:
            time = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-11-21T09:30:00Z", param, ctx)
        return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)


@click.group()
def command() -> None:
    """Make keys; build, sign, verify and show bundles."""


@command.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to fill."
)
@click.option(
    "--expires-days",
    type=click.IntRange(1, 36_500),
    default=_ROOT_VALIDITY_DAYS,
    show_default=True,
    help="How long the root is good for new bundles.",
)
@_PASSPHRASE
@_FORCE
def keygen(out: Path, expires_days: int, passphrase_file: str | None, force: bool) -> None:
    """Make root.key (keep it offline), bundle.key (signs bundles) and root.json (for the app)."""
    from shelfrank_training.publish.files import PRIVATE_MODE, read_passphrase, write_file
    from shelfrank_training.publish.keys import keygen as make_keys

    passphrase = read_passphrase(passphrase_file)
    keys = make_keys(expires=clock_time() + timedelta(days=expires_days))
    files = {
        "root.key": (keys.root_key.to_pem(passphrase=passphrase), PRIVATE_MODE),
        "bundle.key": (keys.bundle_key.to_pem(passphrase=passphrase), PRIVATE_MODE),
        "root.json": (keys.root, 0o644),
    }
    _refuse_existing([out / name for name in files], force=force)
    out.mkdir(parents=True, exist_ok=True)
    for name, (data, mode) in files.items():
        write_file(out / name, data, mode=mode, force=force)
    console.say(f"{out}: root.key {keys.root_key.key_id}, bundle.key {keys.bundle_key.key_id}")
    if passphrase is None:
        console.say("the keys have no passphrase: whoever reads the files can sign")


@command.command()
@click.argument("model", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", required=True, help="Line of bundles, such as shop-14.")
@click.option("--version", type=click.IntRange(1), required=True, help="Higher than the last one.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File, or a folder.")
@click.option("--root", type=_EXISTING, required=True, multiple=True, help="All roots so far.")
@click.option(
    "--expires-days",
    type=click.IntRange(1, 3_650),
    default=_VALIDITY_DAYS,
    show_default=True,
    help="How long devices may install it.",
)
@click.option("--issued-at", type=Time(), help="Default: now. Same inputs, same bytes.")
@click.option(
    "--figures",
    type=_EXISTING,
    help="What shelfrank evaluate --json wrote of this very model, for its model card.",
)
@_FORCE
def build(
    model: Path,
    name: str,
    version: int,
    out: Path,
    root: tuple[Path, ...],
    expires_days: int,
    issued_at: datetime | None,
    figures: Path | None,
    force: bool,
) -> None:
    """Put the model folder MODEL into a bundle without signatures.

    Its model card is made from --figures; without, it says that nothing was measured.
    """
    from shelfrank.bundle.files import read_root_file
    from shelfrank_training.publish.build import build_bundle
    from shelfrank_training.publish.files import write_file

    issued = issued_at or clock_time()
    data = build_bundle(
        model,
        name=name,
        version=version,
        issued_at=issued,
        expires=issued + timedelta(days=expires_days),
        root=tuple(read_root_file(path) for path in root),
        figures=_read_figures(figures),
    )
    target = out / f"{name}-{version}.shelfrank" if out.is_dir() else out
    write_file(target, data, force=force)
    console.say(f"{target}: {len(data):,} bytes, not signed yet")


@command.command()
@click.argument("file", type=_EXISTING)
@click.option("--key-file", type=_SECRET, required=True, help="Private key in PEM; - for stdin.")
@_PASSPHRASE
def sign(file: Path, key_file: str, passphrase_file: str | None) -> None:
    """Add a signature to the bundle FILE; several owners sign one after the other."""
    from shelfrank.bundle.files import read_bundle_file
    from shelfrank_training.publish.build import sign_bundle
    from shelfrank_training.publish.files import read_passphrase, read_secret, write_file
    from shelfrank_training.publish.keys import SigningKey

    if key_file == passphrase_file == "-":
        raise click.UsageError("key and passphrase cannot both come from stdin")
    key = SigningKey.from_pem(
        read_secret(key_file, what="key file"), passphrase=read_passphrase(passphrase_file)
    )
    signed = sign_bundle(read_bundle_file(file), key)
    write_file(file, signed, force=True)
    console.say(f"{file}: signed by key {key.key_id}")


@command.command()
@click.argument("file", type=_EXISTING)
@click.option("--trust", type=_EXISTING, required=True, help="The application's root.json.")
@click.option("--at", type=Time(), help="Verify as of this moment. Default: now.")
@click.option(
    "--allow-unprotected", is_flag=True, help="Take a label that says unprotected: research only."
)
@click.option("--json", "as_json", is_flag=True, help="Write the result to stdout.")
def verify(
    file: Path, trust: Path, at: datetime | None, allow_unprotected: bool, as_json: bool
) -> None:
    """Check the bundle FILE as a device does that has none yet; exit 1 if it would be refused.

    Golden vectors are not run: the device does that with its own runtime.
    """
    from shelfrank.bundle.files import read_bundle_file, read_root_file
    from shelfrank.bundle.verify import verify_bundle
    from shelfrank.consent.policy import Policy
    from shelfrank.errors import LabelError
    from shelfrank_training.publish.describe import describe
    from shelfrank_training.publish.promises import check_promises

    data = read_bundle_file(file)
    bundle = verify_bundle(data, trust=read_root_file(trust), now=at or clock_time())
    policy = None if bundle.policy is None else Policy.parse(bundle.policy)
    try:
        check_promises(
            bundle.label, policy, bundle.catalog.categories, allow_unprotected=allow_unprotected
        )
    except LabelError as error:
        if error.term == "unprotected":
            # The SDK names its argument; who reads this has an option.
            error.hint = "for research on public data, pass --allow-unprotected"
        raise
    if as_json:
        console.emit_json({"verified": True, **describe(data).to_json()})
    manifest = bundle.manifest
    console.say(
        f"{file}: verified, {manifest.name} version {manifest.version}; numbers over at least "
        f"{bundle.label.min_shoppers} shoppers; "
        f"{'no policy' if policy is None else f'policy {policy.id} version {policy.version}'}"
    )


@command.command()
@click.argument("file", type=_EXISTING)
@click.option("--json", "as_json", is_flag=True, help="Write it to stdout.")
@click.option("--card", is_flag=True, help="Write the model card to stdout, as Markdown.")
@click.option(
    "--figures",
    type=_EXISTING,
    help="With --card: tell of these figures instead of the bundle's own.",
)
def show(file: Path, as_json: bool, card: bool, figures: Path | None) -> None:
    """Say what the bundle FILE says about itself; nothing is verified."""
    from shelfrank.bundle.files import read_bundle_file
    from shelfrank_training.publish.describe import describe

    if card and as_json:
        raise click.UsageError("--card writes Markdown, --json writes JSON: choose one")
    if figures is not None and not card:
        raise click.UsageError("--figures goes with --card")
    data = read_bundle_file(file)
    if card:
        from shelfrank_training.publish.card_page import card_of_bundle

        console.emit(card_of_bundle(data, figures=_read_figures(figures)))
        return
    description = describe(data)
    if as_json:
        console.emit_json({"verified": False, **description.to_json()})
        return
    console.table("bundle (not verified)", ("what", "value"), description.summary())
    console.table("files", ("path", "bytes", "critical"), description.files())


def _read_figures(path: Path | None) -> Measured | None:
    """Read a file of ``shelfrank evaluate --json``; None for none."""
    if path is None:
        return None
    from shelfrank_training.publish.card import MAX_FIGURES_BYTES, read_figures

    with path.open("rb") as file:
        return read_figures(file.read(MAX_FIGURES_BYTES + 1), where=path.name)


def _refuse_existing(paths: list[Path], *, force: bool) -> None:
    """Look at all files before the first is written, so that a refusal leaves nothing behind."""
    from shelfrank_training.errors import PublishError

    existing = [path.name for path in paths if path.exists()]
    if existing and not force:
        raise PublishError(
            f"{', '.join(existing)} there already",
            hint="choose another folder; --force replaces the keys for good",
        )
