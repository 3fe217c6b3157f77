"""The page that `vestiary demo` writes: one HTML file beside its pictures, without scripts and without a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from vestiary import __version__
from vestiary.cli import say

if TYPE_CHECKING:
    from vestiary.errors import VestiaryError
    from vestiary.types import Fitting, Garment, Person


@dataclass(frozen=True)
class Entry:
    """One fitting of the demo, its pictures written into `place`."""

    name: str
    place: Path
    person: Person
    garments: tuple[Garment, ...]
    fitting: Fitting
    seconds: float
    layers: tuple[Path, ...]


def describe(entry: Entry) -> dict[str, Any]:
    """An entry as JSON-ready data."""
    return {
        "result": str(entry.place / "result.png"),
        "garments": [garment.category for garment in entry.garments],
        "seconds": round(entry.seconds, 4),
        "timings": say.seconds(entry.fitting.timings),
        "warnings": say.cautions(entry.fitting.warnings),
        "layers": [str(layer) for layer in entry.layers],
        "provenance": dict(entry.fitting.provenance),
    }


def median_seconds(entries: Sequence[Entry]) -> float:
    """Half of the fittings took less."""
    return median([entry.seconds for entry in entries] or [0.0])


def page(entries: Sequence[Entry], failures: Mapping[str, VestiaryError], engine: str) -> str:
    """The whole page as HTML; what could not be fitted comes last, in words."""
    refused = (f"<article><h2>{escape(name)}</h2><p>{escape(str(why))}</p></article>" for name, why in failures.items())
    articles = "\n".join([*(_article(entry) for entry in entries), *refused])
    return _PAGE.format(
        style=_STYLE,
        count=len(entries),
        engine=escape(engine),
        version=__version__,
        median=f"{median_seconds(entries):.2f}",
        articles=articles,
    )


def _article(entry: Entry) -> str:
    height, width = entry.fitting.image.shape[:2]
    worn = " + ".join(garment.category for garment in entry.garments)
    cards = [
        _figure(entry, f"garment-{number}.jpg", garment.category) for number, garment in enumerate(entry.garments, 1)
    ]
    notes = "".join(f"<p class=note>{escape(note)}</p>" for note in say.cautions(entry.fitting.warnings))
    layers = "".join(_figure(entry, f"layers/{layer.name}", layer.stem[3:]) for layer in entry.layers)
    return f"""<article>
<h2>{escape(worn)} <small>{width} × {height}, fitted in {entry.seconds:.2f} s</small></h2>
<div class=row>{_figure(entry, "person.jpg", "person")}<div class=garments>{"".join(cards)}</div>
{_figure(entry, "result.png", "result")}</div>
{notes}<details><summary>Layers and timings</summary><div class=layers>{layers}</div>{_timings(entry)}</details>
</article>"""


def _figure(entry: Entry, file: str, caption: str) -> str:
    source = escape(f"{entry.place.name}/{file}")
    picture = f'<a href="{source}"><img src="{source}" alt="{escape(caption)}" loading=lazy></a>'
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _timings(entry: Entry) -> str:
    """A table of milliseconds: looking at the person, at the garments, fitting."""
    columns: Iterable[tuple[str, Mapping[str, float]]] = [
        ("person (once)", entry.person.timings),
        *((f"{garment.category} (once)", garment.timings) for garment in entry.garments),
        ("fitting", entry.fitting.timings),
    ]
    tables = []
    for title, timings in columns:
        rows = "".join(f"<tr><td>{escape(step)}<td>{value * 1000:.0f} ms" for step, value in timings.items())
        tables.append(f"<table><caption>{escape(title)}</caption>{rows}</table>")
    return f"<div class=timings>{''.join(tables)}</div>"


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 76rem; font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.9rem; letter-spacing: -.02em; }
h2 { margin: 0 0 .75rem; font-size: 1.15rem; text-transform: capitalize; }
h2 small { font-weight: 400; opacity: .65; text-transform: none; }
article { margin-top: 2rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
.row { display: grid; grid-template-columns: 5fr 3fr 5fr; gap: 1rem; align-items: start; }
.garments { display: grid; gap: 1rem; }
figure { margin: 0; min-width: 0; }
img { display: block; width: 100%; border-radius: 8px; background: var(--soft); }
figcaption { padding-top: .25rem; font-size: .85rem; opacity: .7; overflow-wrap: anywhere; }
.note { margin: .5rem 0 0; font-size: .9rem; opacity: .8; }
details { margin-top: 1rem; }
summary { cursor: pointer; }
.layers { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .75rem; margin: .75rem 0; }
.timings { display: flex; flex-wrap: wrap; gap: .5rem 2.5rem; }
table { font-size: .85rem; border-spacing: 0; }
caption { text-align: left; font-weight: 600; }
td + td { padding-left: 1.25rem; text-align: right; font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) { .row { grid-template-columns: 1fr 1fr; } .garments { grid-column: 2; grid-row: 1; }
  .row > figure:last-child { grid-column: 1 / 3; } }
"""

_PAGE = """<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>Vestiary: demo</title>
<style>{style}</style>
<h1>Vestiary</h1>
<p>{count} fittings by the engine <b>{engine}</b> of Vestiary {version} on this machine, median {median} s each after
person and garment have been looked at once. The edit mask among the layers shows what may differ from the photo;
everything else is the photo, bit for bit. The categories of the garments were given, as a shop would.</p>
{articles}
</html>
"""
