"""``python -m shelfrank``: a device's history without the app that made it.

It needs the key, and neither bundle nor policy. Data goes to stdout, all else to stderr; exit 0 is
done, 1 refused or failed, 2 wrong use. Secrets come from files or stdin, never as arguments.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shelfrank import keys
from shelfrank.clock import SystemClock
from shelfrank.device import Device, has_device_files
from shelfrank.errors import HistoryError, ShelfrankError, WrongKeyError
from shelfrank.history.store import History
from shelfrank.types import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shelfrank.history.keys import KeyProvider

DONE: Final = 0
FAILED: Final = 1
WRONG_USE: Final = 2

_STDIN: Final = "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code.

    Args:
        arguments: None takes those of the process.
    """
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except ShelfrankError as error:
        _say(f"error: {error}")
        if error.hint:
            _say(f"hint: {error.hint}")
        return FAILED
    except (OSError, ValueError) as error:
        _say(f"error: {error}")
        return FAILED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m shelfrank",
        description="A device's history without the app: for the shopper, and whoever helps.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    verify = commands.add_parser("verify", help="say whether a history opens and is whole")
    _add_device(verify)
    verify.set_defaults(run=_verify)

    export = commands.add_parser("export", help="write everything that is kept to one file")
    _add_device(export)
    export.add_argument("--out", required=True, type=Path, metavar="FILE", help="such as mine.zip")
    export.add_argument("--language", choices=LANGUAGES, default="en", help="of the page in it")
    export.add_argument(
        "--passphrase-file",
        metavar="FILE",
        help="seal the export under the first line of FILE; - reads stdin",
    )
    export.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    export.set_defaults(run=_export)

    erase = commands.add_parser("erase", help="erase everything: the key first, then the files")
    _add_device(erase)
    erase.add_argument("--yes", action="store_true", help="do not ask")
    erase.set_defaults(run=_erase)
    return parser


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the device")
    key = parser.add_mutually_exclusive_group(required=True)
    key.add_argument("--key-file", type=Path, metavar="FILE", help="see shelfrank.keys.file")
    key.add_argument(
        "--keyring", nargs=2, metavar=("SERVICE", "ACCOUNT"), help="see shelfrank.keys.keyring"
    )
    key.add_argument(
        "--key-passphrase-file",
        metavar="FILE",
        help="the first line of FILE, - for stdin; see shelfrank.keys.passphrase",
    )
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def _verify(options: argparse.Namespace) -> int:
    if not _is_device(options.folder):
        return FAILED
    found: dict[str, object]
    try:
        with History.open(options.folder, _key(options), clock=SystemClock()) as history:
            events, unreadable, damaged = len(history), history.lost, history.damaged
            whole = history.whole
    except HistoryError as error:
        if options.json:
            found = {"events": None, "unreadable": None, "damaged": [], "whole": False}
            _print(json.dumps({**found, "error": type(error).__name__}))
        raise
    if options.json:
        ranges = [{"first": one.first, "last": one.last} for one in damaged]
        found = {"events": events, "unreadable": unreadable, "damaged": ranges, "whole": whole}
        _print(json.dumps({**found, "error": None}))
    else:
        _print(f"{events} events, {unreadable} unreadable")
        for one in damaged:
            _print(f"damaged: events number {one.first} to {one.last}")
        if not (whole or damaged):
            _print("a copy of key slot or head is damaged; the other stands in")
    return DONE if whole and not unreadable else FAILED


def _export(options: argparse.Namespace) -> int:
    if not _is_device(options.folder):
        return FAILED
    if _STDIN == options.passphrase_file == options.key_passphrase_file:
        _say("error: stdin can hold one passphrase, got two to read from it")
        return WRONG_USE
    key = _key(options)
    sealed = options.passphrase_file
    passphrase = None if sealed is None else _secret(sealed)
    with Device.open(
        options.folder, bundle=None, trust=None, key=key, clock=SystemClock()
    ) as device:
        done = device.history.export(
            options.out,
            language=options.language,
            passphrase=passphrase,
            overwrite=options.overwrite,
        )
    _say(f"exported {done.events} events, {done.unreadable} unreadable")
    if options.json:
        _print(json.dumps({"events": done.events, "unreadable": done.unreadable}))
    return DONE


def _erase(options: argparse.Namespace) -> int:
    # Without this, a slip in FOLDER would destroy the key and leave the files.
    if not _is_device(options.folder):
        return FAILED
    key = _key(options)
    try:
        History.open(options.folder, key, clock=SystemClock()).close()
    except WrongKeyError:
        # It would be destroyed in place of the right one.
        _say("error: the key is not the one of this history; nothing was erased")
        _say("hint: if the right one is lost, nothing can read the folder any more: remove it")
        return FAILED
    except HistoryError:
        pass  # What does not open is erased all the same.
    if not options.yes and not _agreed():
        _say("nothing was erased")
        return FAILED
    Device.erase_at(options.folder, key=key)
    _say("erased")
    if not key.can_destroy:
        _say("whoever has an older copy of the files and the key can still read that copy")
    if options.json:
        _print(json.dumps({"erased": True, "key_destroyed": key.can_destroy}))
    return DONE


def _agreed() -> bool:
    _say("This erases everything on this device, for good. Type erase to go on:")
    return sys.stdin.readline().strip() == "erase"


def _is_device(folder: Path) -> bool:
    if has_device_files(folder):
        return True
    _say(f"error: there is no device's history in {folder}")
    return False


def _key(options: argparse.Namespace) -> KeyProvider:
    if options.key_file is not None:
        return keys.file(options.key_file)
    if options.keyring is not None:
        return keys.keyring(*options.keyring)
    return keys.passphrase(_secret(options.key_passphrase_file))


def _secret(source: str) -> str:
    """Return the first line of a file, or of stdin."""
    if source == _STDIN:
        return sys.stdin.readline().rstrip("\r\n")
    with Path(source).open(encoding="utf-8") as file:
        return file.readline().rstrip("\r\n")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
