"""Ranks for several shoppers at once, with the very figures that one after the other gives."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from shelfrank_training.evaluate.protocol import Moment, Universe
    from shelfrank_training.evaluate.tally import Tally

# Rankings that one thread makes before it hands over: a tenth of a second over 40,000 items, so
# that handing over costs nothing and no thread waits long for the last piece.
_PIECE: Final = 64

# Pieces waiting per thread: the reader is a little ahead, and memory stays that of a few pieces.
_AHEAD: Final = 2

MAX_WORKERS: Final = 4
"""Threads share Python's lock outside of onnxruntime and numpy: more would wait for each other."""


def default_workers() -> int:
    """Return how many threads rank: as many as this process may use cores, up to `MAX_WORKERS`."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # Not every system can say which cores it may use.
        cores = os.cpu_count() or 1
    return min(cores, MAX_WORKERS)


class Crew:
    """Threads that fill a tally (`shelfrank_training.evaluate.run.TakesMoments`).

    Shoppers go to the threads in pieces and come back in their order, and a ranking depends on
    nothing but its own moment, so the tally is the same with any number of threads. They are
    threads and not processes since nearly all of the time goes to onnxruntime and numpy, which
    work without Python's lock: the model is opened and held once.

    Args:
        tally: filled when the context ends; its scorers must be safe to share.
        workers: threads, at least 1.
    """

    def __init__(self, tally: Tally, *, workers: int) -> None:
        if workers < 1:
            raise ValueError(f"workers is {workers}, wanted at least 1")
        self._tally = tally
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="rank")
        self._most = workers * (1 + _AHEAD)
        self._pending: deque[Future[Tally]] = deque()
        self._piece: list[tuple[Moment, ...]] = []
        self._n_moments = 0

    @property
    def universe(self) -> Universe:
        """The items that compete."""
        return self._tally.universe

    def add(self, moments: Iterable[Moment]) -> None:
        """Take one shopper's moments, at least one.

        Raises:
            Exception: whatever ranking for an earlier shopper raised.
        """
        asked = tuple(moments)
        self._piece.append(asked)
        self._n_moments += len(asked)
        if self._n_moments >= _PIECE:
            self._hand_over()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        try:
            if failed is None:
                self._hand_over()
                while self._pending:
                    self._take_over()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _hand_over(self) -> None:
        self._pending.append(self._pool.submit(_rank, self._tally.fresh(), self._piece))
        self._piece, self._n_moments = [], 0
        while len(self._pending) > self._most:
            self._take_over()

    def _take_over(self) -> None:
        self._tally.extend(self._pending.popleft().result())


def _rank(tally: Tally, shoppers: list[tuple[Moment, ...]]) -> Tally:
    for moments in shoppers:
        tally.add(moments)
    return tally
