"""Where the key of a history comes from. Pass one of these to `Device.open`.

| Function | The key is kept by | Erasing makes old copies unreadable |
|---|---|---|
| `host` | the app, which hands bytes over at each start | no |
| `host_callbacks` | the host's key store | when everything is erased, with `destroy` |
| `file` | a file with mode 0600 | yes, as far as the storage forgets |
| `keyring` | the keyring of the system (extra `keyring`) | yes, as far as the system forgets |
| `passphrase` | the shopper's memory | no |
| `memory` | this process | yes; the history ends with the process |
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shelfrank.frames import tells_no_locals

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from shelfrank.history.keys import KeyProvider

__all__ = ["file", "host", "host_callbacks", "keyring", "memory", "passphrase"]


@tells_no_locals
def host(secret: bytes) -> KeyProvider:
    """Use bytes that the app keeps, for example in the platform's key store.

    Args:
        secret: at least 16 random bytes, the same at each start; 32 are usual.

    Raises:
        ValueError: the secret is shorter.
    """
    from shelfrank.history.providers import HostSecret

    return HostSecret(secret)


def host_callbacks(
    *,
    wrap: Callable[[bytes], bytes],
    unwrap: Callable[[bytes], bytes],
    destroy: Callable[[], None] | None = None,
    remember: Callable[[bytes], None] | None = None,
    recall: Callable[[], bytes | None] | None = None,
) -> KeyProvider:
    """Use a key that never leaves the host's key store.

    Args:
        wrap: takes 32 bytes, returns them encrypted by the host's key.
        unwrap: takes what `wrap` returned, returns the 32 bytes. Whatever it raises becomes
            `KeyUnavailableError`.
        destroy: removes the host's key; None when the host cannot.
        remember: keeps 24 bytes where a copy of the history's folder does not reach. With `recall`
            a whole folder put back is noticed, up to the last 256 commits.
        recall: returns what `remember` got last, None when nothing.

    Raises:
        ValueError: one of `remember` and `recall` without the other.
    """
    from shelfrank.history.providers import HostCallbacks

    return HostCallbacks(
        wrap=wrap, unwrap=unwrap, destroy=destroy, remember=remember, recall=recall
    )


def file(path: str | os.PathLike[str]) -> KeyProvider:
    """Use a key file, made with mode 0600 when the history is made.

    Args:
        path: outside the history's folder, out of its backups, and for this history only.
    """
    from shelfrank.history.keyring import KeyFile

    return KeyFile(Path(path))


def keyring(service: str, account: str) -> KeyProvider:
    """Use the keyring of the operating system: Keychain, Credential Manager, Secret Service.

    The name of the back end is kept beside the history; where the package `keyring` is configured
    to use another one, opening is a `KeyUnavailableError` that says so. Back ends that keep secrets
    in the open are refused.

    Args:
        service: name of the app, as the system's own tool shows it.
        account: tells the histories of one app apart; one history to an account.

    Raises:
        MissingExtraError: the package is not installed.
        ValueError: one of them is empty.
    """
    from shelfrank.history.system_keyring import SystemKeyring

    return SystemKeyring(service, account)


@tells_no_locals
def passphrase(text: str) -> KeyProvider:
    """Use a passphrase; opening takes 64 MiB of memory and some tenths of a second.

    Args:
        text: not empty.

    Raises:
        ValueError: it is empty.
    """
    from shelfrank.history.providers import Passphrase

    return Passphrase(text)


def memory() -> KeyProvider:
    """Use a key that lives as long as the returned object: for one session at a kiosk."""
    from shelfrank.history.keyring import MemoryKey

    return MemoryKey()
