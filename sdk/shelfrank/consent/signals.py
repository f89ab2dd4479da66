"""Signals of the browser or system about the shopper's wish; so far Global Privacy Control.

https://www.w3.org/TR/gpc/: the header ``Sec-GPC`` has the value ``1``, exactly, or says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

GpcStatus = Literal["none", "applied", "overridden"]
"""``none``: no signal. ``applied``: it is obeyed. ``overridden``: the shopper, told of the signal,
said yes to a purpose that it concerns, and the law's preset lets that count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What the browser or system of the shopper signals.

    Attributes:
        gpc: Global Privacy Control is on. Off means nothing: its absence is never a yes.
    """

    gpc: bool = False

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Self:
        """Read the signals from the headers of an HTTP request.

        Args:
            headers: by name, in any case. ``Sec-GPC`` counts if its value is ``1``, and else is
                ignored, as the specification says.
        """
        values = [value for name, value in headers.items() if name.lower() == "sec-gpc"]
        return cls(gpc=values == ["1"])
