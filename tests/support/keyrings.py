"""Back ends for the package `keyring`, and a stand-in for the package where it is not installed.

The stand-in has what shelfrank uses of it, and behaves like version 25: a secret that is not there
is None, removing one that is not there is an error, and every error is a `KeyringError`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


class KeyringError(Exception):
    """Base of its errors."""


class KeyringLocked(KeyringError):  # noqa: N818 - the name in the package
    """It could not be unlocked."""


class PasswordDeleteError(KeyringError):
    """There is no such secret, or it cannot be removed."""


class PasswordSetError(KeyringError):
    """The secret cannot be kept."""


class SystemVault:
    """A keyring in memory that can be locked, deny, cut secrets short, or be configured away."""

    priority: float = 5

    def __init__(self) -> None:
        self.secrets: dict[tuple[str, str], str] = {}
        self.trouble: Exception | None = None
        self.longest = 2560  # What the Windows Credential Manager takes.
        self.forgets = False

    def get_password(self, service: str, username: str) -> str | None:
        self._may_fail()
        return self.secrets.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._may_fail()
        if not self.forgets:
            self.secrets[service, username] = password[: self.longest]

    def delete_password(self, service: str, username: str) -> None:
        self._may_fail()
        if (service, username) not in self.secrets:
            raise PasswordDeleteError("no such password")
        if not self.forgets:
            del self.secrets[service, username]

    def _may_fail(self) -> None:
        if self.trouble is not None:
            raise self.trouble


class OtherVault(SystemVault):
    """Another back end."""


class Chain:
    """Asks several back ends in turn, as `keyring.backends.chainer` does."""

    priority: float = 10

    def __init__(self, backends: Sequence[object]) -> None:
        self.backends = list(backends)


def like(module: str, name: str, *, priority: float) -> object:
    """Return a back end with a name and priority of a known one."""
    kind = type(name, (SystemVault,), {"__module__": module, "priority": priority})
    return kind()


def install(monkeypatch: pytest.MonkeyPatch, backend: object) -> None:
    """Make `backend` the one that the package uses."""
    package = ModuleType("keyring")
    package.get_keyring = lambda: backend  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", package)


def uninstall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the package one that is not installed."""
    monkeypatch.setitem(sys.modules, "keyring", None)
