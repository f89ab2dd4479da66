"""What people see: messages, tables and progress bars on stderr; data alone goes to stdout."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from shelfrank.errors import ShelfrankError

T = TypeVar("T")

stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """Write one line for the reader to stderr."""
    stderr.print(message, markup=False)


def fail(error: ShelfrankError) -> None:
    """Write an error and its next step to stderr."""
    stderr.print("error:", style="bold red", end=" ")
    say(str(error))
    if error.hint:
        say(f"hint: {error.hint}")


def emit(text: str) -> None:
    """Write data to stdout."""
    click.echo(text)


def emit_json(value: object) -> None:
    """Write `value` to stdout as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    text: Collection[str] = (),
) -> None:
    """Draw a table on stderr; the first column and those in `text` are text, others numbers."""
    drawn = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        justify: Literal["left", "right"] = "left" if not number or column in text else "right"
        # A long name or digest goes on in the next line: cut off, it could not be copied.
        drawn.add_column(column, justify=justify, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    stderr.print(drawn)


class Bars:
    """Progress bars on stderr (see `shelfrank_training.progress.Progress`)."""

    @contextmanager
    def stage(self, description: str) -> Iterator[None]:
        """Show a spinner and the elapsed time while the step runs, and keep the line."""
        with _columns() as progress:
            task = progress.add_task(description, total=None)
            try:
                yield
            except BaseException:
                # A spinner that stands still would look as if the step went on.
                progress.update(task, visible=False)
                raise
            progress.update(task, total=1, completed=1)

    def track(self, items: Iterable[T], *, description: str, total: int) -> Iterator[T]:
        """Yield `items`, moving a bar of length `total`."""
        with _columns() as progress:
            task = progress.add_task(description, total=total)
            for item in items:
                yield item
                progress.advance(task)


def _columns() -> Progress:
    return Progress(
        SpinnerColumn(finished_text="[green]✓[/green]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        console=stderr,
    )
