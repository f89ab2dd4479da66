"""scikit-learn's own contract, of estimators whose `fit` takes counts instead of X and y.

`sklearn.utils.estimator_checks` hands an estimator random matrices. Ours learn from `Counts`, so
of that list

- the checks that touch no data run as they are (`BY_SCIKIT_LEARN`);
- those that only use data to have a fitted estimator are repeated over a small shop's counts, under
  the name scikit-learn gives them (``check_fit_idempotent`` → ``test_fit_idempotent``);
- the rest do not apply (`training/docs/models.md` has them with reasons), and no check is forgotten
  between the three (`test_every_check_of_scikit_learn_has_its_place`).
"""

from __future__ import annotations

import copy
import inspect
import pickle  # noqa: TID251 - the test reads back what it just made
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from joblib import hash as deep_hash  # noqa: TID251 - compares, reads no file
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted

from shelfrank_training.models.blend import Blend
from shelfrank_training.models.history import HistoryReader
from shelfrank_training.models.parts import Affinity, Category, Next, Popularity, Repeat
from support import corner_shop
from support.corner_shop import CART, DISLIKE, LIKE, PURCHASE, VIEW, question

if TYPE_CHECKING:
    from collections.abc import Callable

    from shelfrank.ranking.session import GraphInputs
    from shelfrank_training.models.counts import Counts

BY_SCIKIT_LEARN: Final = (
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
)
"""Run as they are: they construct, copy and describe, and never fit."""

OVER_COUNTS: Final = (
    "check_fit_score_takes_y",
    "check_estimators_overwrite_params",
    "check_dont_overwrite_parameters",
    "check_estimators_fit_returns_self",
    "check_readonly_memmap_input",
    "check_estimators_unfitted",
    "check_estimators_pickle",
    "check_dict_unchanged",
    "check_fit_idempotent",
    "check_fit_check_is_fitted",
)
"""Repeated here by `Counts`, as ``test_…``."""

NOT_OURS: Final = (
    # X is a matrix of n_samples by n_features; counts have neither.
    "check_n_features_in_after_fitting",
    "check_n_features_in",
    "check_fit1d",
    "check_fit2d_1sample",
    "check_fit2d_1feature",
    "check_fit2d_predict1d",
    "check_f_contiguous_array_estimator",
    "check_complex_data",
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_estimators_empty_data_messages",
    "check_estimators_nan_inf",
    "check_estimator_sparse_tag",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_positive_only_tag_during_fit",
    "check_array_api_input",
    "check_array_api_mixed_inputs",
    "check_array_api_same_namespace",
    # `predict`, `transform` and `score` are not what a part has, so no pipeline takes it.
    "check_pipeline_consistency",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
)
"""Not run; `training/docs/models.md` says why for each group."""

ESTIMATORS: Final = (
    Popularity(),
    Popularity(0.5),
    Next(),
    Next(2.0, 5.0, 0.3, 5),
    Affinity(),
    Affinity(0.1, 2.0, 3, None),
    Category(),
    Category(0.1, 7.0, 4),
    Repeat(),
    Repeat(1.0, 2.0, 9.0),
    HistoryReader(),
    HistoryReader(30.0),
    Blend(),
    Blend((Popularity(), Repeat()), HistoryReader(9.0), ((1, 1), (1, 0.5), (0.25, 2))),
)

every = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)


@cache
def counts() -> Counts:
    return corner_shop.counts()


def asked() -> GraphInputs:
    """Every kind of event, every row of the shop."""
    events = [
        (2, PURCHASE, 3.0, 1, 3),
        (7, LIKE, 1.0, 0, 2),
        (4, CART, 1.0, 0, 1),
        (5, VIEW, 0.0, 0, 0),
        (9, DISLIKE, 9.0, 2, 4),
    ]
    return question(events, range(counts().space.n_rows))


def answer(estimator: BaseEstimator) -> tuple[np.ndarray, ...]:
    """Return all that an estimator says, in place of ``predict`` and its kin."""
    if isinstance(estimator, HistoryReader):
        state = estimator.read(asked())
        return tuple(getattr(state, name) for name in type(state).__dataclass_fields__)
    if isinstance(estimator, Blend):
        scores = estimator.score_candidates(asked())
        return scores.score, scores.parts
    return (estimator.part(HistoryReader().fit(counts()).read(asked()), asked()),)


def assert_same(one: BaseEstimator, other: BaseEstimator) -> None:
    for ours, theirs in zip(answer(one), answer(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def is_public(name: str) -> bool:
    return not name.startswith("_") and not name.endswith("_")


@pytest.mark.parametrize("check", BY_SCIKIT_LEARN)
@every
def test_the_checks_of_scikit_learn_that_need_no_data_pass(
    estimator: BaseEstimator, check: str
) -> None:
    run: Callable[[str, BaseEstimator], None] = getattr(estimator_checks, check)

    run(type(estimator).__name__, estimator)


@every
def test_fit_score_takes_y(estimator: BaseEstimator) -> None:
    assert list(inspect.signature(estimator.fit).parameters) == ["X", "y"]
    assert_same(clone(estimator).fit(counts()), clone(estimator).fit(counts(), None))


@every
def test_estimators_overwrite_params(estimator: BaseEstimator) -> None:
    fitted = clone(estimator)
    before = copy.deepcopy(fitted.get_params())

    fitted.fit(counts())

    after = fitted.get_params()
    assert after.keys() == before.keys()
    for name, value in before.items():
        assert deep_hash(after[name]) == deep_hash(value), name


@every
def test_dont_overwrite_parameters(estimator: BaseEstimator) -> None:
    fitted = clone(estimator)
    before = dict(vars(fitted))

    fitted.fit(counts())

    public = {name: value for name, value in vars(fitted).items() if is_public(name)}
    assert public.keys() == before.keys()
    assert all(value is before[name] for name, value in public.items())
    assert vars(fitted).keys() > before.keys()


@every
def test_estimators_fit_returns_self(estimator: BaseEstimator) -> None:
    fitted = clone(estimator)

    assert fitted.fit(counts()) is fitted


@every
def test_readonly_memmap_input(estimator: BaseEstimator) -> None:
    """Counts are read and never written to: several estimators are fitted on the same ones."""
    locked = corner_shop.counts()
    for array in arrays_of(locked):
        array.setflags(write=False)

    assert_same(clone(estimator).fit(locked), clone(estimator).fit(counts()))


def arrays_of(value: object) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    fields = getattr(type(value), "__dataclass_fields__", ())
    return [array for name in fields for array in arrays_of(getattr(value, name))]


@every
def test_estimators_unfitted(estimator: BaseEstimator) -> None:
    with pytest.raises(NotFittedError, match=f"This {type(estimator).__name__} instance is not"):
        answer(clone(estimator))


@every
def test_estimators_pickle(estimator: BaseEstimator) -> None:
    fitted = clone(estimator).fit(counts())

    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - what we just made

    assert_same(again, fitted)
    assert repr(again) == repr(fitted)


@every
def test_dict_unchanged(estimator: BaseEstimator) -> None:
    fitted = clone(estimator).fit(counts())
    before, digest = dict(vars(fitted)), deep_hash(fitted)

    answer(fitted)

    assert vars(fitted).keys() == before.keys()
    assert all(value is before[name] for name, value in vars(fitted).items())
    assert deep_hash(fitted) == digest, "nor anything inside of it"


@every
def test_fit_idempotent(estimator: BaseEstimator) -> None:
    """Fitting again gives the same, also after other counts, which leave nothing behind."""
    once = clone(estimator).fit(counts())
    other = corner_shop.counts(corner_shop.ROWS[:5])

    assert_same(clone(estimator).fit(counts()).fit(counts()), once)
    assert_same(clone(estimator).fit(other).fit(counts()), once)


@every
def test_fit_check_is_fitted(estimator: BaseEstimator) -> None:
    fresh = clone(estimator)
    assert not [name for name in vars(fresh) if name.endswith("_")]
    with pytest.raises(NotFittedError):
        check_is_fitted(fresh)

    check_is_fitted(fresh.fit(counts()))


@every
def test_a_clone_of_a_fitted_estimator_is_not_fitted(estimator: BaseEstimator) -> None:
    copied = clone(clone(estimator).fit(counts()))

    assert repr(copied) == repr(estimator)
    with pytest.raises(NotFittedError):
        check_is_fitted(copied)


def test_what_a_blend_is_given_is_not_fitted_by_it() -> None:
    part, reader = Popularity(), HistoryReader()

    Blend((part,), reader).fit(counts())

    for given in (part, reader):
        with pytest.raises(NotFittedError):
            check_is_fitted(given)


@every
def test_every_check_of_scikit_learn_has_its_place(estimator: BaseEstimator) -> None:
    listed = {
        getattr(check, "func", check).__name__
        for _, check in estimator_checks.estimator_checks_generator(clone(estimator))
    }

    assert len({*BY_SCIKIT_LEARN, *OVER_COUNTS, *NOT_OURS}) == sum(
        map(len, (BY_SCIKIT_LEARN, OVER_COUNTS, NOT_OURS))
    )
    assert listed <= {*BY_SCIKIT_LEARN, *OVER_COUNTS, *NOT_OURS}
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {name.removeprefix("check_") for name in OVER_COUNTS} <= tests
