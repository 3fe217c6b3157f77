"""What the commands print: data on standard output, words for people on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from vestiary.types import Picture


def words(text: str) -> None:
    """A line for people, on standard error."""
    click.echo(text, err=True)


def data(value: Any) -> None:
    """JSON on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(rows: Sequence[Sequence[str]]) -> None:
    """Columns on standard output, as wide as their widest cell."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())


def cautions(*groups: Iterable[str]) -> list[str]:
    """Warnings in their order, each once."""
    return list(dict.fromkeys(warning for group in groups for warning in group))


def seconds(timings: Mapping[str, float]) -> dict[str, float]:
    """Timings as JSON shows them: rounded to 0.1 ms."""
    return {step: round(value, 4) for step, value in timings.items()}


class StepLine:
    """One line on a terminal that says which step is running; nothing where standard error is no terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.shown = sys.stderr.isatty() and not quiet

    def __call__(self, step: int, total: int, name: str, preview: Picture | None = None) -> None:
        if self.shown:
            click.echo(f"\r\033[K{step}/{total} {name} ", err=True, nl=False)

    def clear(self) -> None:
        """Take the line away."""
        if self.shown:
            click.echo("\r\033[K", err=True, nl=False)

    def __enter__(self) -> StepLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
