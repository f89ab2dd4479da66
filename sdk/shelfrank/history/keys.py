"""Who keeps the root of a history (history-format.md, sections 4 and 13).

A history has a random root. A provider wraps it, so that the wrapped root can lie in the database,
and says whether it can make old and present roots unreadable for good.
"""

from __future__ import annotations

import struct
from typing import Final, Protocol, runtime_checkable

MARK: Final = struct.Struct(">16sQ")
"""A mark as bytes: store id and number of the commit; see `MarkKeeper`."""


@runtime_checkable
class KeyProvider(Protocol):
    """Wraps and unwraps roots.

    A history calls `wrap` and `retire` only while it holds the write lock of its database, so that
    two processes never do so at once. One provider and its state belong to one history.
    """

    @property
    def name(self) -> str:
        """Short name; stored in plain beside the wrapped root."""
        ...

    @property
    def can_destroy(self) -> bool:
        """Whether `destroy` makes every copy of the history unreadable."""
        ...

    @property
    def can_retire(self) -> bool:
        """Whether `retire` makes copies from before a rotation unreadable."""
        ...

    def wrap(self, root: bytes, store_id: bytes) -> bytes:
        """Return `root` (32 bytes), wrapped; what was wrapped before still opens.

        Raises:
            KeyUnavailableError: the key cannot be had now.
        """
        ...

    def unwrap(self, wrapped: bytes, store_id: bytes) -> bytes:
        """Return the root.

        Raises:
            KeyUnavailableError: the key cannot be had now.
            WrongKeyError: the key is there, and it is another one.
            HistoryRolledBackError: the key of this state was retired: an older copy was put back.
        """
        ...

    def retire(self, current: bytes, store_id: bytes) -> None:
        """Make everything wrapped for this history unreadable, except `current`.

        Does nothing where the provider cannot.
        """
        ...

    def destroy(self) -> None:
        """Make everything unreadable that this provider ever wrapped; again and again if called so.

        Does nothing where the provider cannot.
        """
        ...


@runtime_checkable
class MarkKeeper(Protocol):
    """A provider that also remembers, outside the folder, how new the history must be (section 9).

    An anchor in the folder rolls back with the folder. What is remembered here does not; it is a
    little behind, since it is written every 256 commits, after each erasure, and when the history
    is closed.
    """

    def remember(self, store_id: bytes, version: int) -> None:
        """Keep the number of a commit that is durable; never less than before.

        Raises:
            KeyUnavailableError: it cannot be kept now.
        """
        ...

    def recall(self, store_id: bytes) -> int:
        """Return the highest number kept for this history, 0 when there is none.

        Raises:
            KeyUnavailableError: it cannot be had now.
        """
        ...
