"""The one tree of errors the SDK raises on purpose (what, got, wanted, next step).

A message is lower case, names what was expected and what was found, and never holds a key,
plaintext or an item id of a history. The facts are also attributes, so that nobody parses text.
`hint` says the next step; only command lines print it.

Misuse of the API (a wrong type, ``k < 1``) is ``TypeError`` or ``ValueError``, not in this tree.
"""

from __future__ import annotations


class ShelfrankError(Exception):
    """Base of every error shelfrank raises on purpose.

    Args:
        message: what, got, wanted; lower case, no full stop.
        hint: the next step for whoever reads it, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class BundleError(ShelfrankError):
    """The bundle cannot be used; the installed one stays."""


class BundleFormatError(BundleError):
    """Not a bundle, damaged, or over a limit."""


class BundleVersionError(BundleError):
    """A bundle format this SDK does not read.

    Args:
        message: see `ShelfrankError`.
        offered: the format number found.
        supported: the format numbers this SDK reads.
        hint: see `ShelfrankError`.
    """

    def __init__(
        self, message: str, *, offered: int, supported: tuple[int, ...], hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.offered = offered
        self.supported = supported


class SignatureError(BundleError):
    """Not signed by enough trusted keys."""


class RollbackError(BundleError):
    """Older than the installed bundle.

    Args:
        message: see `ShelfrankError`.
        offered: version of the bundle that was refused.
        installed: version that stays.
        hint: see `ShelfrankError`.
    """

    def __init__(
        self, message: str, *, offered: int, installed: int, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.offered = offered
        self.installed = installed


class BundleExpiredError(BundleError):
    """Past the expiry date in its manifest, or signed under a root that is."""


class ModelMismatchError(BundleError):
    """The graph does not do what the manifest or the golden vectors promise."""


class LabelError(BundleError):
    """The bundle's privacy label promises less than the policy, or the default, asks for.

    Args:
        message: see `ShelfrankError`.
        term: what was asked for: ``unprotected``, ``min_shoppers``, ``max_epsilon`` or
            ``must_exclude``.
        got: what the label states: shoppers, epsilon (None: no such promise), or the categories
            left out.
        wanted: shoppers at least, epsilon at most, or the categories that are missing.
        hint: see `ShelfrankError`.
    """

    def __init__(
        self,
        message: str,
        *,
        term: str,
        got: float | tuple[str, ...] | None,
        wanted: float | tuple[str, ...],
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.term = term
        self.got = got
        self.wanted = wanted


class HistoryError(ShelfrankError):
    """The history on this device cannot be used; nothing of it was changed."""


class KeyUnavailableError(HistoryError):
    """The provider cannot give the key now (locked, missing); the history is untouched."""


class WrongKeyError(HistoryError):
    """The key is not the one this history was made with; the file itself may be fine."""


class HistoryDamagedError(HistoryError):
    """The key is right, but part of the history fails authentication."""


class HistoryRolledBackError(HistoryError):
    """An older state of the history was put back."""


class HistoryLockedError(HistoryError):
    """Another process holds the history longer than the time-out."""


class HistoryFullError(HistoryError):
    """No space to write; everything acknowledged is still there."""


class HistoryVersionError(HistoryError):
    """A history format this SDK does not read."""


class ExportDamagedError(HistoryError):
    """Not an export, or one that is damaged, edited or over a limit; nothing was imported."""


class ConsentError(ShelfrankError):
    """A consent call that cannot be carried out."""


class UnknownPurposeError(ConsentError):
    """The policy declares no such purpose."""


class NoticeNotShownError(ConsentError):
    """A grant without the notice that was shown, or with one for other words."""


class GuardianMissingError(ConsentError):
    """A grant by somebody who is, or may be, too young to say yes alone.

    Args:
        message: see `ShelfrankError`.
        minor_age: below this many years a guardian must agree.
        hint: see `ShelfrankError`.
    """

    def __init__(self, message: str, *, minor_age: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.minor_age = minor_age


class PolicyError(ShelfrankError):
    """The policy cannot be read or contradicts itself."""


class MissingExtraError(ShelfrankError):
    """An optional package is needed; the hint names the extra to install."""


class RuntimeGuardError(ShelfrankError):
    """onnxruntime's telemetry is not known to be off (threat: a device id and an upload queue)."""
