"""Whether the tests that a page names exist."""

from __future__ import annotations

import ast
import re
from typing import Final

from support.markdown import REPOSITORY

_TEST: Final = re.compile(r"(tests/[\w/]+\.py)::([\w:]+)")


def named_tests(source: str) -> set[str]:
    """Return the tests of a module as pytest names them, classes included."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{f.name}" for f in node.body if isinstance(f, ast.FunctionDef)}
    return names


def missing(text: str) -> list[str]:
    """Return which of the tests that `text` names do not exist; it must name at least one."""
    named = _TEST.findall(text)
    assert named, "a row without a test"
    return [
        f"{path}::{name}"
        for path, name in named
        if not (REPOSITORY / path).is_file()
        or not name.rpartition("::")[2].startswith("test_")
        or name not in named_tests((REPOSITORY / path).read_text(encoding="utf-8"))
    ]
