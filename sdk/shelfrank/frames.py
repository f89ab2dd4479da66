"""Errors that leave the SDK tell where they come from, and nothing that the frames held."""

from __future__ import annotations

import sys
import traceback
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def tells_no_locals(call: Callable[P, R]) -> Callable[P, R]:
    """Let errors out of `call` with files and lines, but without the variables of its frames.

    Crash reporters send the local variables of every frame along; in here those are item ids,
    plaintext and keys.
    """

    @wraps(call)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        handled = sys.exception()
        try:
            return call(*args, **kwargs)
        except BaseException as error:
            _forget_locals(error, until=handled)
            del args, kwargs, handled
            raise

    return told


def _forget_locals(error: BaseException, *, until: BaseException | None) -> None:
    """Clear the frames of an error and of those it hangs on, except what the app was handling."""
    waiting: list[BaseException | None] = [error]
    seen = {id(until)}
    while waiting:
        current = waiting.pop()
        if current is not None and id(current) not in seen:
            seen.add(id(current))
            traceback.clear_frames(current.__traceback__)
            waiting += [current.__cause__, current.__context__]
