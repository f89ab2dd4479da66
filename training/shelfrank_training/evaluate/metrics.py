"""What a ranking is worth: pure numpy, one row per trial.

A *trial* is one ranked list with the set of items it should have held. Gains are binary and the
ranking is full: every item of the universe competes, nothing is sampled (sampled metrics can turn
the order of models round: Krichene and Rendle, KDD 2020).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

NOTHING: Final = -1
"""Stands in a ranking where nothing was left to rank."""


def top_k(
    scores: npt.NDArray[np.float64], k: int, *, seen: npt.NDArray[np.intp] | None = None
) -> npt.NDArray[np.intp]:
    """Return the `k` best items, best first; ties go to the lower index.

    Items stand in order of falling popularity in every array of this package, so the lower index is
    the more popular item.

    Args:
        scores: shape (n_items,), no NaN; higher is better. Minus infinity marks an item that the
            model cannot rank: it is never returned, not even where places stay empty.
        k: length of the list, at least 1.
        seen: items that must not be returned, or None.

    Returns:
        Shape (k,); `NOTHING` fills the end where fewer than `k` items are left.

    Raises:
        ValueError: `k` is below 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}, wanted at least 1")
    if seen is not None and seen.size:
        scores = scores.copy()
        scores[seen] = -np.inf
    ranking = np.full(k, NOTHING, dtype=np.intp)
    # A model under strong protection ranks a few hundred of many thousand items: what it cannot
    # rank takes no part, and a partition of equal values would be slow.
    floor = _floor(scores, k)
    places = np.flatnonzero(scores > floor)
    if floor > -np.inf and places.size < k:
        # The k-th best is the floor itself, so those equal to it fill up, the more popular first.
        best = places[np.argsort(-scores[places], kind="stable")]
        best = np.concatenate([best, np.flatnonzero(scores == floor)[: k - best.size]])
    else:
        best = places[_best(scores[places], k)]
    ranking[: best.size] = best
    return ranking


# Pieces of the scores that are looked at for each place of the list: with eight, hardly more items
# than places lie above the floor, and finding it costs an eighth of a partition.
_PIECES: Final = 8


def _floor(scores: npt.NDArray[np.float64], k: int) -> float:
    """Return a value that at least `k` scores reach, near the k-th best; minus infinity for none.

    The k-th best of the maxima of pieces: each of those k pieces has a score that reaches it.
    """
    width = scores.size // (_PIECES * k)
    if width < _PIECES:
        return -np.inf
    n_pieces = scores.size // width
    maxima = scores[: n_pieces * width].reshape(n_pieces, width).max(axis=1)
    return float(np.partition(maxima, n_pieces - k)[n_pieces - k])


def _best(scores: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.intp]:
    """Return the places of the `k` best, best first; ties go to the lower place."""
    if scores.size <= k:
        return np.argsort(-scores, kind="stable")
    # The k-th best value splits them without sorting them all: those above it are in, those equal
    # to it fill up.
    last = scores.size - k
    threshold = np.partition(scores, last)[last]
    above = np.flatnonzero(scores > threshold)
    best = above[np.argsort(-scores[above], kind="stable")]
    return np.concatenate([best, np.flatnonzero(scores == threshold)[: k - best.size]])


def recall(
    hits: npt.NDArray[np.bool_], n_targets: npt.NDArray[np.int64], k: int
) -> npt.NDArray[np.float64]:
    """Return the share of each trial's targets among its first `k` places.

    Args:
        hits: shape (n_trials, at least k); whether the item at a place is a target.
        n_targets: shape (n_trials,); at least 1 each, targets that no list can hold included.
        k: how many places count.

    Returns:
        Shape (n_trials,), from 0 to 1. The divisor is the number of targets, also where it exceeds
        `k`.
    """
    share: npt.NDArray[np.float64] = hits[:, :k].sum(axis=1) / n_targets
    return share


def ndcg(
    hits: npt.NDArray[np.bool_], n_targets: npt.NDArray[np.int64], k: int
) -> npt.NDArray[np.float64]:
    """Return each trial's discounted gain at `k` as a share of the best one possible.

    The gain at place p (from 1) is 1/log2(p+1); the ideal has its min(k, n_targets) targets in
    front.

    Args:
        hits: shape (n_trials, at least k).
        n_targets: shape (n_trials,), at least 1 each.
        k: how many places count.

    Returns:
        Shape (n_trials,), from 0 to 1.
    """
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)[np.minimum(n_targets, k) - 1]
    gain: npt.NDArray[np.float64] = hits[:, :k] @ discounts / ideal
    return gain


def reciprocal_rank(
    hits: npt.NDArray[np.bool_],
    n_targets: npt.NDArray[np.int64],  # noqa: ARG001 - one signature for all metrics
    k: int,
) -> npt.NDArray[np.float64]:
    """Return 1/place of each trial's first hit, 0 without one among the first `k`.

    Args:
        hits: shape (n_trials, at least k).
        n_targets: not used; every metric takes the same arguments.
        k: how many places count.

    Returns:
        Shape (n_trials,), from 0 to 1.
    """
    counted = hits[:, :k]
    first = counted.argmax(axis=1)
    return np.where(counted.any(axis=1), 1.0 / (first + 1), 0.0)


def coverage(rankings: npt.NDArray[np.intp], k: int, *, n_items: int) -> float:
    """Return the share of the universe that stands in the first `k` places of any ranking.

    Args:
        rankings: shape (n_rankings, at least k); `NOTHING` counts as no item.
        k: how many places count.
        n_items: size of the universe, at least 1.
    """
    shown = np.unique(rankings[:, :k])
    return float(np.count_nonzero(shown != NOTHING) / n_items)
