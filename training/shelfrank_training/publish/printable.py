"""Show text that nobody has verified: nothing in it is obeyed by a terminal."""

from __future__ import annotations

import json


def printable(value: object) -> str:
    r"""Return a value as one line of text; what a terminal would act on is replaced.

    >>> printable("a\x1b[2Jb").isprintable()
    True
    >>> printable(1234567), printable(["a", True]), printable(["a, b", "c"])
    ('1,234,567', 'a, yes', 'a, b; c')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        texts = [printable(inner) for inner in value]
        return ("; " if any(", " in text for text in texts) else ", ").join(texts) or "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def cell(value: object) -> str:
    """Return a value for a table: ``[`` would start markup there."""
    return printable(value).replace("[", "\\[")
