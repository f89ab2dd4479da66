"""How long steps say where they are, without knowing who listens."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


class Progress(Protocol):
    """Who hears about long steps: a progress bar, a log, nobody."""

    def stage(self, description: str) -> AbstractContextManager[None]:
        """Announce one step of unknown length, for as long as the context lasts."""
        ...

    def track(self, items: Iterable[T], *, description: str, total: int) -> Iterator[T]:
        """Yield `items`, moving a bar of length `total`."""
        ...


class Silent:
    """Tell nobody: the default of every function, and what tests use."""

    def stage(self, description: str) -> AbstractContextManager[None]:  # noqa: ARG002 - the protocol's
        """Return a context that does nothing."""
        return nullcontext()

    def track(self, items: Iterable[T], *, description: str, total: int) -> Iterator[T]:  # noqa: ARG002
        """Yield `items` unchanged."""
        yield from items
