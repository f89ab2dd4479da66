"""What commands that measure share: the cutoff, and where figures go."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from shelfrank_training.cli import console

if TYPE_CHECKING:
    from collections.abc import Mapping


def parse_cutoff(text: str) -> datetime:
    """Read ISO 8601; without a zone it is UTC.

    Raises:
        DataError: it is no time.
    """
    from shelfrank_training.errors import DataError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DataError(
            f"cutoff {text!r} is no time", hint="write a date like 2017-12-01, or 2017-12-01T06:00Z"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def check_writable(report: Path | None, json_file: str | None) -> None:
    """Refuse before the long run, not after it.

    Args:
        report: file to be written, or None.
        json_file: the same; ``-`` is stdout.

    Raises:
        DataError: one is a folder, or in none.
    """
    from shelfrank_training.errors import DataError

    for path in (report, None if json_file in {None, "-"} else Path(str(json_file))):
        if path is None:
            continue
        if path.is_dir():
            raise DataError(f"{path} is a folder, wanted a file to write")
        if not path.parent.is_dir():
            raise DataError(f"there is no folder {path.parent} to write {path.name} in")


def write_json(json_file: str | None, document: Mapping[str, object]) -> None:
    """Write figures to a file, to stdout (``-``), or nowhere (None).

    Raises:
        DataError: the file cannot be written.
    """
    from shelfrank_training.errors import DataError

    if json_file is None:
        return
    if json_file == "-":
        console.emit_json(document)
        return
    text = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        Path(json_file).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{json_file} cannot be written ({error.strerror})") from None
