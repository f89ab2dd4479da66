"""What a device remembers of the bundle it serves, so that an older one is not taken for newer."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from shelfrank.bundle.mark import dump_mark, parse_mark
from shelfrank.errors import ShelfrankError
from shelfrank.history.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank.bundle.verify import Installed, VerifiedBundle
    from shelfrank.history.store import Sealer

BUNDLE_FILE: Final = "bundle"
"""Beside the history. It says nothing about the shopper, and is sealed like what does."""

_CONTEXT: Final = b"remembered bundle"


class RememberedBundle:
    """One sealed file.

    It holds against whoever brings a bundle, not against whoever can remove files of the device
    (threat-model.md, B5).

    Args:
        folder: of the device.
        sealer: of its history.
    """

    def __init__(self, folder: Path, sealer: Sealer) -> None:
        self._path = folder / BUNDLE_FILE
        self._sealer = sealer
        self._digest: str | None = None

    def read(self) -> Installed | None:
        """Return what was served last, or None if nothing (that can be read) says so."""
        try:
            sealed = self._path.read_bytes()
            return parse_mark(self._sealer.open(sealed, _CONTEXT))
        except (OSError, ShelfrankError):
            return None

    def write(self, bundle: VerifiedBundle) -> None:
        """Note a bundle as served; the same one again writes nothing. A full disk is no error."""
        if self._digest == bundle.digest:
            return
        before = self.read()
        mark = bundle.mark(before)
        if mark != before:
            with suppress(OSError, ShelfrankError):
                replace_file(self._path, self._sealer.seal(dump_mark(mark), _CONTEXT))
        self._digest = bundle.digest

    def copy_to(self, other: RememberedBundle) -> None:
        """Let a recovered device remember the same; what cannot be read or written is no error."""
        mark = self.read()
        if mark is not None:
            with suppress(OSError, ShelfrankError):
                replace_file(other._path, other._sealer.seal(dump_mark(mark), _CONTEXT))

    def forget(self) -> None:
        """Remove the file: the key that sealed it is gone, and the next history starts anew."""
        self._path.unlink(missing_ok=True)
        self._digest = None
