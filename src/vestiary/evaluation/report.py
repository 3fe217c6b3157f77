"""A result as rows of a table and as a page; `report_page` has the page's form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vestiary.evaluation.measures import PER_PAIR, PER_SET, Measure
from vestiary.evaluation.summary import FILE
from vestiary.files import write_file

PAGE = "report.html"


def write(result: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write `result.json` and `report.html`; the paths of both.

    Raises:
        OutputError: they cannot be written.
    """
    from vestiary.evaluation.report_page import page

    text = json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False)
    write_file(folder / FILE, f"{text}\n".encode())
    write_file(folder / PAGE, page(result, folder).encode())
    return [folder / FILE, folder / PAGE]


def number(value: float | None, digits: int) -> str:
    """A number as tables show it; a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(estimate: Mapping[str, Any], digits: int) -> str:
    """The interval as tables show it."""
    if estimate["low"] is None:
        return "–"
    return f"{number(estimate['low'], digits)} … {number(estimate['high'], digits)}"


def entries(result: Mapping[str, Any]) -> Iterator[tuple[Measure, Mapping[str, Any]]]:
    """The measures of a result with their estimates, in their order."""
    for table, found in ((PER_PAIR, result["measures"]), (PER_SET, result["set_measures"])):
        for name, measure in table.items():
            if name in found:
                yield measure, found[name]


def text_rows(result: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Measure, mean, interval, count."""
    return [
        (measure.title, number(found["value"], measure.digits), interval(found, measure.digits), str(found["count"]))
        for measure, found in entries(result)
    ]


def comparison_rows(found: Mapping[str, Any], names: Sequence[str]) -> list[tuple[str, ...]]:
    """Measure, both means, difference, interval, and which system is better."""
    rows = []
    better = {"first": names[0], "second": names[1], "undecided": "undecided"}
    for table, part in ((PER_PAIR, found["measures"]), (PER_SET, found["set_measures"])):
        for name, row in part.items():
            digits = table[name].digits
            values = [number(row[side], digits) for side in ("first", "second")]
            ratio = table[name].better == "one"  # who is better depends on the distance from 1, not on the difference
            difference = row["gain"] if ratio else row["difference"]
            middle = number(difference["value"], digits), interval(difference, digits)
            title = table[name].title + (", gain in nearness to 1" if ratio else "")
            rows.append((title, *values, *middle, better[row["better"]]))
    return rows
