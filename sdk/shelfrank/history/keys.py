"""Who keeps the root of a history (history-format.md, sections 4 and 13).

A history has a random root. A provider wraps it, so that the wrapped root can lie in the database,
and says whether it can make old and present roots unreadable for good.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable


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
