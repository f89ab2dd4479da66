"""Errors of the training side; they stand in the SDK's tree (`shelfrank.errors`)."""

from __future__ import annotations

from shelfrank.errors import ShelfrankError


class TrainingError(ShelfrankError):
    """Base of every error the training side raises on purpose."""


class DataError(TrainingError):
    """An input file is not what the contract asks for; nothing was written."""


class PrivacyError(TrainingError):
    """A setting or input would break a privacy promise; nothing was written."""


class ExportError(TrainingError):
    """The model cannot be turned into a graph."""


class ParityError(ExportError):
    """Graph and estimators disagree beyond the tolerance.

    Args:
        message: what, got, wanted.
        difference: the largest absolute difference seen.
        tolerance: the largest one allowed.
    """

    def __init__(self, message: str, *, difference: float, tolerance: float) -> None:
        super().__init__(message)
        self.difference = difference
        self.tolerance = tolerance


class PublishError(TrainingError):
    """A bundle cannot be built or signed."""
