"""What a label's statements must have in common to be true together. Pure; standard library only.

A device does not see the events, so it cannot tell whether a label is true. It can tell that one
cannot be: when a statement contradicts another, the graph, or the arithmetic of its own noise.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal

from shelfrank.errors import BundleFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shelfrank.bundle.label import Label, LabelledNoise, LabelledTable

PROTECTED_MIN_SHOPPERS: Final = 10
"""Below it a number is about people, not about products, and a label must say `unprotected`."""

AMBER_MIN_SHOPPERS: Final = 20
"""Below it a label warns: the floor of the default policy."""

SMALL_EPSILON: Final = 1.0
"""Up to it a bound is called small: the privacy study's proposal for one release."""

MODERATE_EPSILON: Final = 4.0
"""Up to it a bound is called moderate, beyond it wide: the study's proposal for a whole year."""

DISJOINT_TABLES: Final = frozenset({"outcomes"})
"""Made from other shoppers than all other tables: of the two costs the larger counts."""

# The trainer keeps delta at or below one over the exact number of shoppers; what a label states is
# a number with noise, which is within a tenth of it as soon as there are some hundred shoppers.
_MOST_DELTA_SHOPPERS: Final = 2.0

# Labels round costs up to six digits. A thousandth is far above that and far below a lie that pays.
_ROUNDING: Final = 1e-3

Level = Literal["red", "amber"]

LEVELS: Final[dict[str, Level]] = {
    "unprotected": "red",
    "no_categories": "red",
    "no_differential_privacy": "amber",
    "few_shoppers": "amber",
    "wide_bound": "amber",
    "no_policy": "amber",
}
"""How grave each warning is, in the order in which they are shown."""


def warnings_of(
    *,
    min_shoppers: int,
    unprotected: bool,
    epsilon: float | None,
    has_categories: bool,
    has_policy: bool,
) -> tuple[str, ...]:
    """Return the codes of the warnings that must stand on a label, the red ones first."""
    applies = {
        "unprotected": unprotected,
        "no_categories": not has_categories,
        "no_differential_privacy": epsilon is None,
        "few_shoppers": PROTECTED_MIN_SHOPPERS <= min_shoppers < AMBER_MIN_SHOPPERS,
        "wide_bound": epsilon is not None and epsilon > MODERATE_EPSILON,
        "no_policy": not has_policy and has_categories,
    }
    return tuple(code for code in LEVELS if applies[code])


def gaussian_delta(epsilon: float, rho: float) -> float:
    """Return the delta that Gaussian noise of cost `rho` truly has at `epsilon`.

    Exact (Balle and Wang, arXiv 1805.06530, theorem 8). Every sum of costs in zero-concentrated
    differential privacy permits this mechanism, so no sound accountant states less.

    Args:
        epsilon: at least 0.
        rho: positive; of zero-concentrated differential privacy.
    """
    mu = math.sqrt(2 * rho)
    low, high = epsilon / mu - mu / 2, epsilon / mu + mu / 2
    # e^epsilon times the upper tail at `high`, written so that nothing overflows.
    density = math.exp(-low * low / 2) / math.sqrt(2 * math.pi)
    return _upper_tail(low) - density * _mills(high)


def check(label: Label) -> None:
    """Refuse statements that cannot all be true.

    Raises:
        BundleFormatError: naming the two that contradict each other.
    """
    promise = _of_a_threshold(label) if label.epsilon is None else _of_noise(label)
    problems = chain(
        _of_what_was_done(label), _of_the_tables(label), _of_what_was_left_out(label), promise
    )
    problem = next(problems, None)
    if problem is not None:
        raise BundleFormatError(f"label.json contradicts itself: {problem}")


def _of_what_was_done(label: Label) -> Iterator[str]:
    if not label.sources:
        yield "numbers without a source"
    for source in label.sources:
        if source.time_from is not None and source.time_from > source.time_to:
            yield "a source ends before it starts"
    if label.bundle is not None and label.bundle.created >= label.bundle.valid_until:
        yield "the bundle ends before it is made"
    if label.min_shoppers < PROTECTED_MIN_SHOPPERS and not label.unprotected:
        yield (
            f"min_shoppers is {label.min_shoppers}, below {PROTECTED_MIN_SHOPPERS}, "
            "and unprotected is false"
        )


def _of_the_tables(label: Label) -> Iterator[str]:
    names = [table.name for table in label.tables]
    for table in label.tables:
        if names.count(table.name) > 1:
            yield f"table {table.name} is there twice"
        if table.min_shoppers < label.min_shoppers:
            yield (
                f"table {table.name} covers at least {table.min_shoppers} shoppers, "
                f"the label promises {label.min_shoppers}"
            )


def _of_what_was_left_out(label: Label) -> Iterator[str]:
    if label.excluded_categories and not label.has_categories:
        yield "categories were left out of a catalog that has none"
    if label.excluded_categories and label.policy is None:
        yield "categories were left out without a policy that names them"
    expected = warnings_of(
        min_shoppers=label.min_shoppers,
        unprotected=label.unprotected,
        epsilon=label.epsilon,
        has_categories=label.has_categories,
        has_policy=label.policy is not None,
    )
    if label.warnings != expected:
        yield (
            f"the warnings are {', '.join(label.warnings) or 'none'}, "
            f"its own statements call for {', '.join(expected) or 'none'}"
        )


def _of_a_threshold(label: Label) -> Iterator[str]:
    if label.mechanism != "threshold":
        yield f"mechanism is {label.mechanism} and epsilon is not stated"
    if label.delta is not None:
        yield "delta is stated without epsilon"
    if label.ledger is not None:
        yield "a ledger is kept without epsilon"
    for table in label.tables:
        if table.noise:
            yield f"table {table.name} has noise and the release no epsilon"


def _of_noise(label: Label) -> Iterator[str]:
    epsilon, delta = label.epsilon or 0.0, label.delta or 0.0
    if label.mechanism == "threshold":
        yield "a threshold alone is not differential privacy, and epsilon is stated"
    if epsilon <= 0 or not 0 < delta < 1:
        yield "epsilon must be above 0 with delta in (0, 1)"
        return
    shoppers = sum(source.shoppers for source in label.sources)
    if delta * shoppers > _MOST_DELTA_SHOPPERS:
        yield f"delta is {delta:g}, more than one over the number of shoppers, {shoppers}"
    if label.ledger is not None and label.ledger.epsilon_spent > label.ledger.epsilon_limit:
        yield (
            f"the ledger has spent {label.ledger.epsilon_spent:g} of {label.ledger.epsilon_limit:g}"
        )
    for table in label.tables:
        yield from _of_a_table(table, epsilon, delta)
    yield from _of_the_sum(label.tables, epsilon, delta)


def _of_a_table(table: LabelledTable, epsilon: float, delta: float) -> Iterator[str]:
    if table.rows and not table.noise:
        yield f"table {table.name} has rows and no noise, and epsilon is stated"
    for noise in table.noise:
        if noise.epsilon > epsilon * (1 + _ROUNDING):
            yield (
                f"table {table.name} alone has epsilon {noise.epsilon:g}, "
                f"the release states {epsilon:g}"
            )
        least = (noise.l2 / noise.scale) ** 2 / 2
        if noise.rho < least * (1 - _ROUNDING):
            yield (f"table {table.name} states rho {noise.rho:g}, its own noise costs {least:g}")
        if not _supports(noise.rho, noise.epsilon, delta):
            yield (
                f"table {table.name} states epsilon {noise.epsilon:g}, "
                f"less than rho {noise.rho:g} permits"
            )


def _of_the_sum(tables: Sequence[LabelledTable], epsilon: float, delta: float) -> Iterator[str]:
    one = [noise for t in tables if t.name not in DISJOINT_TABLES for noise in t.noise]
    other = [noise for t in tables if t.name in DISJOINT_TABLES for noise in t.noise]
    for shoppers in (one, other):
        rho = math.fsum(noise.rho for noise in shoppers)
        if not _supports(rho, epsilon, delta):
            yield (
                f"the tables cost rho {rho:g} together, for which epsilon {epsilon:g} "
                f"at delta {delta:g} is too little"
            )
        spent = _sum_of_deltas(shoppers)
        if spent > delta * (1 + _ROUNDING):
            yield f"the tables' deltas add up to {spent:g}, the release states {delta:g}"


def _sum_of_deltas(noise: Sequence[LabelledNoise]) -> float:
    return math.fsum(entry.delta for entry in noise)


def _supports(rho: float, epsilon: float, delta: float) -> bool:
    """Say whether `epsilon` and `delta` may be true of a cost of `rho`."""
    return rho <= 0 or gaussian_delta(epsilon, rho) <= delta * (1 + _ROUNDING)


def _upper_tail(x: float) -> float:
    return math.erfc(x / math.sqrt(2)) / 2


def _mills(x: float) -> float:
    """Return upper tail over density of the normal distribution, for positive `x`."""
    if x < 25:  # Beyond it the tail nears the smallest double; the series is exact to ten digits.
        return _upper_tail(x) * math.sqrt(2 * math.pi) * math.exp(x * x / 2)
    inverse = 1 / x
    return inverse * (1 - inverse * inverse * (1 - 3 * inverse * inverse))
