"""Options that several commands share."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shelfrank.consent.policy import Policy
    from shelfrank_training.events import Columns

_UNITS: Final = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "kib": 1 << 10, "mib": 1 << 20}
_BYTES: Final = re.compile(r"(?P<number>\d+(\.\d+)?) ?(?P<unit>|b|kb|mb|kib|mib)", re.IGNORECASE)

Command = TypeVar("Command", bound="Callable[..., object]")


def read_bytes(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """Turn a number of bytes, plain or with kB, MB, KiB or MiB behind it, into whole bytes.

    Raises:
        click.BadParameter: it is no size, or none of at least one byte.
    """
    if value is None:
        return None
    found = _BYTES.fullmatch(value.strip())
    size = int(float(found["number"]) * _UNITS[found["unit"].lower()]) if found else 0
    # "1.8" is more likely megabytes than bytes: asked, not guessed.
    if size < 1 or (found and not found["unit"] and not found["number"].isdecimal()):
        raise click.BadParameter(f"{value!r} is not a size such as 1800000, 1.8MB or 600kB")
    return size


def column_options(command: Command) -> Command:
    """Add ``--column NAME=SOURCE`` and ``--drop NAME``, given to the command as one `Columns`."""
    command = click.option(
        "--drop",
        "dropped",
        multiple=True,
        metavar="NAME",
        help="Leave out a column of the file; may be repeated.",
    )(command)
    return click.option(
        "--column",
        "mapped",
        multiple=True,
        metavar="NAME=SOURCE",
        help="SOURCE is the file's name for our column NAME; may be repeated.",
    )(command)


def source_options(command: Command) -> Command:
    """Add what every command that reads events takes: `column_options` and ``--max-bad-rows``."""
    return column_options(
        click.option(
            "--max-bad-rows",
            type=click.FloatRange(0, 1),
            default=0.0,
            show_default=True,
            help="Share of bad event rows above which the run stops.",
        )(command)
    )


def source_arguments(command: Command) -> Command:
    """Add the arguments ``EVENTS CATALOG``."""
    for name in ("catalog", "events"):
        command = click.argument(name, type=click.Path(path_type=Path))(command)
    return command


def holdout_option(text: str) -> Callable[[Command], Command]:
    """Return the option ``--holdout`` of commands that measure what they made themselves.

    Args:
        text: its help.
    """
    return click.option(
        "--holdout",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        default=0.2,
        show_default=True,
        metavar="SHARE",
        help=text,
    )


def figures_options(command: Command) -> Command:
    """Add ``--json`` and ``--report``, for figures."""
    command = click.option(
        "--report", type=click.Path(path_type=Path), help="Write one HTML file."
    )(command)
    return json_option(command)


def json_option(command: Command) -> Command:
    """Add ``--json FILE``, for figures."""
    return click.option(
        "--json", "json_file", metavar="FILE", help="Write the figures; - for stdout."
    )(command)


def read_columns(mapped: Sequence[str], dropped: Sequence[str]) -> Columns:
    """Turn the options of `column_options` into one value.

    Raises:
        click.BadParameter: no ``=``, an empty side, or a name given twice.
    """
    from shelfrank_training.events import Columns

    columns: dict[str, str] = {}
    for option in mapped:
        ours, equals, theirs = option.partition("=")
        if not (ours and equals and theirs):
            raise click.BadParameter(f"{option!r} is not NAME=SOURCE", param_hint="--column")
        if ours in columns:
            raise click.BadParameter(f"{ours} is named twice", param_hint="--column")
        columns[ours] = theirs
    return Columns(mapped=columns, dropped=frozenset(dropped))


def read_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        DataError: the file cannot be read.
        PolicyError: it is no policy.
    """
    from shelfrank.consent.policy import Policy
    from shelfrank_training.errors import DataError

    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    return Policy.parse(data)


def known_presets(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a law preset that does not exist: on the command line it is a slip.

    Raises:
        click.BadParameter: there is no such preset.
    """
    from shelfrank.consent.presets import preset_ids

    for preset_id in value:
        if preset_id not in preset_ids():
            raise click.BadParameter(f"{preset_id!r} is not one of {', '.join(preset_ids())}")
    return value


def clock_time() -> datetime:
    """Return the present moment, UTC: the one place where training looks at a clock."""
    return datetime.now(UTC)  # noqa: TID251 - the command line is where the time comes from
