"""The tree of errors is the one that was agreed on, and every error says what a handler needs."""

from __future__ import annotations

import inspect

import pytest

from shelfrank import errors
from shelfrank_training import errors as training

TREE = {
    "ShelfrankError": None,
    "BundleError": "ShelfrankError",
    "BundleFormatError": "BundleError",
    "BundleVersionError": "BundleError",
    "SignatureError": "BundleError",
    "RollbackError": "BundleError",
    "BundleExpiredError": "BundleError",
    "ModelMismatchError": "BundleError",
    "LabelError": "BundleError",
    "HistoryError": "ShelfrankError",
    "KeyUnavailableError": "HistoryError",
    "WrongKeyError": "HistoryError",
    "HistoryDamagedError": "HistoryError",
    "HistoryRolledBackError": "HistoryError",
    "HistoryLockedError": "HistoryError",
    "HistoryFullError": "HistoryError",
    "HistoryVersionError": "HistoryError",
    "ExportDamagedError": "HistoryError",
    "ConsentError": "ShelfrankError",
    "UnknownPurposeError": "ConsentError",
    "NoticeNotShownError": "ConsentError",
    "GuardianMissingError": "ConsentError",
    "PolicyError": "ShelfrankError",
    "MissingExtraError": "ShelfrankError",
    "RuntimeGuardError": "ShelfrankError",
}
TRAINING_TREE = {
    "TrainingError": "ShelfrankError",
    "DataError": "TrainingError",
    "PrivacyError": "TrainingError",
    "ExportError": "TrainingError",
    "ParityError": "ExportError",
    "PublishError": "TrainingError",
}
FACTS: dict[str, dict[str, object]] = {
    "BundleVersionError": {"offered": 2, "supported": (0, 1)},
    "RollbackError": {"offered": 4, "installed": 5},
    "GuardianMissingError": {"minor_age": 16},
    "LabelError": {"term": "max_epsilon", "got": 3.0, "wanted": 1.0},
    "ParityError": {"difference": 0.25, "tolerance": 0.125},
}


def tree_of(module: object) -> dict[str, str | None]:
    found = {
        name: kind
        for name, kind in vars(module).items()
        if inspect.isclass(kind)
        and issubclass(kind, errors.ShelfrankError)
        and kind.__module__ == module.__name__  # type: ignore[attr-defined]
    }
    return {
        name: None if kind is errors.ShelfrankError else kind.mro()[1].__name__
        for name, kind in found.items()
    }


def test_the_tree_of_the_sdk_is_the_agreed_one() -> None:
    assert tree_of(errors) == TREE


def test_the_tree_of_training_hangs_in_the_same_one() -> None:
    assert tree_of(training) == TRAINING_TREE


@pytest.mark.parametrize("name", [*TREE, *TRAINING_TREE])
def test_an_error_keeps_message_facts_and_hint(name: str) -> None:
    kind = getattr(errors, name, None) or getattr(training, name)
    facts = FACTS.get(name, {})
    hint = {} if name == "ParityError" else {"hint": "the next step"}

    error = kind("what, got, wanted", **facts, **hint)

    assert str(error) == "what, got, wanted"
    assert error.hint == hint.get("hint")
    assert {fact: getattr(error, fact) for fact in facts} == facts
    assert kind.__doc__


def test_an_error_without_a_hint_has_none() -> None:
    assert errors.PolicyError("what").hint is None
