"""The page of a result: one HTML file that holds its pictures, without scripts and without a network."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vestiary.errors import ImageError
from vestiary.evaluation.measures import PER_PAIR, Measure
from vestiary.evaluation.report import entries, interval, number
from vestiary.evaluation.slices import TITLES
from vestiary.images import open_picture

HEIGHT = 340  # of the pictures on the page, in pixels
EACH = 2  # best, median and worst pairs by each measure
SLICED = ("ssim", "lpips_alex", "lite0_distance", "pattern_match", "print_kept", "texture_kept", "colour_shift")


def page(result: Mapping[str, Any], folder: Path) -> str:
    """The whole page as HTML.

    Args:
        result: from `summary.summarize`.
        folder: where its pictures are.
    """
    system, protocol = result["system"], result["protocol"]
    title = f"{system['name']}: {protocol['name']}, {protocol['setting']}"
    cautions = "".join(f"<li>{escape(text)}" for text in result["cautions"])
    sections = [
        _section("Measures", _measures(result) + (f"<ul class=note>{cautions}</ul>" if cautions else "")),
        *(_pictures(result, measure, folder) for measure in PER_PAIR.values() if measure.main),
        _section("Slices", _slices(result)),
        _section("Failures", _failures(result)),
        _section("Where this comes from", _origin(result)),
    ]
    return _PAGE.format(
        title=escape(title), style=_STYLE, heading=escape(system["name"]), lead=_lead(result), body="\n".join(sections)
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>" if body else ""


def _lead(result: Mapping[str, Any]) -> str:
    counts, protocol = result["counts"], result["protocol"]
    size = protocol["size"] if isinstance(protocol["size"], str) else " × ".join(map(str, protocol["size"]))
    rate = result["failure_rate"]
    failed = ""
    if rate["value"] is not None:
        share, low, high = (f"{100 * rate[key]:.1f}" for key in ("value", "low", "high"))
        failed = f" Failure rate {share} % (95 % interval {low} to {high})."
    unreadable = f" {counts['unreadable']} pairs had a file that cannot be read." if counts["unreadable"] else ""
    return (
        f"Protocol <b>{escape(protocol['name'])}</b>, <b>{protocol['setting']}</b>, size {escape(size)} (width first). "
        f"{counts['done']} of {counts['pairs']} pairs ended in a picture.{failed}{unreadable}"
    )


def _measures(result: Mapping[str, Any]) -> str:
    rows = []
    for measure, found in entries(result):
        arrow = {"higher": "↑", "lower": "↓", "one": "→ 1"}[measure.better]
        rows.append(
            f"<tr><th>{escape(measure.title)} <span class=arrow>{arrow}</span>"
            f"<td>{number(found['value'], measure.digits)}<td>{interval(found, measure.digits)}<td>{found['count']}"
            f"<td class=words>{escape(measure.meaning)}"
        )
    absent = "".join(f"<li><b>{escape(name)}</b>: {escape(why)}" for name, why in result["absent"].items())
    more = f"<details><summary>Not measured</summary><ul>{absent}</ul></details>" if absent else ""
    head = "<tr><th>Measure<th>Mean<th>95 % interval<th>Pairs<th class=words>Meaning"
    return f"<div class=wide><table class=figures>{head}{''.join(rows)}</table></div>{more}"


def _pictures(result: Mapping[str, Any], measure: Measure, folder: Path) -> str:
    """Best, median and worst pairs by one measure."""
    rated = [
        (measure.merit(value), pair)
        for pair in result["pairs"]
        if pair["status"] == "done" and (value := pair["measures"].get(measure.name)) is not None
    ]
    if len(rated) < 3 * EACH:
        return ""
    ordered = [pair for _, pair in sorted(rated, key=lambda entry: (-entry[0], entry[1]["name"]))]
    middle = len(ordered) // 2 - EACH // 2
    groups = {"Best": ordered[:EACH], "Median": ordered[middle : middle + EACH], "Worst": ordered[-EACH:][::-1]}
    columns = "".join(
        f"<div><h3>{name}</h3>{''.join(_figure(pair, measure, folder) for pair in pairs)}</div>"
        for name, pairs in groups.items()
    )
    order = "person, garment, result" + (", truth" if result["protocol"]["setting"] == "paired" else "")
    note = f"<p class=note>{escape(measure.meaning)}. Each strip: {order}.</p>"
    return _section(f"By {measure.title}", f"{note}<div class=columns>{columns}</div>")


def _figure(pair: Mapping[str, Any], measure: Measure, folder: Path) -> str:
    value = number(pair["measures"][measure.name], measure.digits)
    name, slices = escape(pair["name"]), escape(", ".join(pair["slices"].values()))
    caption = f"<figcaption><b>{value}</b> {name} <span class=note>{slices}</span></figcaption>"
    return f'<figure><img alt="{name}" src="{strip(pair, folder)}">{caption}</figure>'


def strip(pair: Mapping[str, Any], folder: Path) -> str:
    """Person, garment, result and, if there is one, truth side by side, as a data URL.

    Person, result and truth are cut to what changed, so that small people in large photos can be judged.
    """
    files = [Path(pair["inputs"][role]["file"]) for role in ("person", "target") if role in pair["inputs"]]
    result = _opened(folder / pair["picture"])
    others = [_opened(file).resize(result.size, Image.Resampling.LANCZOS) for file in files]
    area = _changed(others[0], result)
    person, *truth = (picture.crop(area) for picture in others)
    garment = _opened(Path(pair["inputs"]["garment"]["file"]))
    tiles = [np.asarray(_tile(picture)) for picture in (person, garment, result.crop(area), *truth)]
    buffer = io.BytesIO()
    Image.fromarray(np.hstack(tiles)).save(buffer, "JPEG", quality=82)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _opened(file: Path) -> Image.Image:
    """A picture; grey where it is gone."""
    try:
        return Image.fromarray(open_picture(file).on_white())
    except ImageError:
        return Image.new("RGB", (HEIGHT * 3 // 4, HEIGHT), (128, 128, 128))


def _changed(person: Image.Image, result: Image.Image) -> tuple[int, int, int, int]:
    """The box of what differs clearly, with a margin, no narrower than half its height; all when little differs."""
    differs = np.abs(np.asarray(person, np.int16) - np.asarray(result)).max(axis=2) > 24
    rows, columns = np.flatnonzero(differs.mean(axis=1) > 0.01), np.flatnonzero(differs.mean(axis=0) > 0.01)
    if not len(rows) or not len(columns):
        return (0, 0, *result.size)
    margin = 0.15 * (rows[-1] - rows[0]) + 8
    top, bottom = rows[0] - 2 * margin, rows[-1] + margin
    middle, half = (columns[0] + columns[-1]) / 2, max((columns[-1] - columns[0]) / 2 + margin, (bottom - top) / 4)
    box = max(0, middle - half), max(0, top), min(result.width, middle + half), min(result.height, bottom)
    return (round(box[0]), round(box[1]), round(box[2]), round(box[3]))


def _tile(picture: Image.Image) -> Image.Image:
    """A picture at the page's height."""
    width = min(round(picture.width * HEIGHT / picture.height), 2 * HEIGHT)
    return picture.resize((width, HEIGHT), Image.Resampling.LANCZOS)


def _slices(result: Mapping[str, Any]) -> str:
    chosen = [PER_PAIR[name] for name in SLICED if name in result["measures"]]
    if not chosen or not result["slices"]:
        return ""
    head = "".join(f"<th>{escape(measure.title)}" for measure in chosen)
    rows = list(_slice_rows(result["slices"], chosen))
    note = "<p class=note>Means with their 95 % intervals; no figures where a slice has fewer than eight pairs.</p>"
    return f"{note}<div class=wide><table class=figures><tr><th>Slice<th>Pairs{head}{''.join(rows)}</table></div>"


def _slice_rows(found: Mapping[str, Any], chosen: Sequence[Measure]) -> Iterator[str]:
    for name in (*(n for n in TITLES if n in found), *(n for n in found if n not in TITLES)):
        yield f"<tr class=group><th colspan={len(chosen) + 2}>{escape(TITLES.get(name, name))}"
        for value, part in found[name].items():
            cells = "".join(_cell(part["measures"].get(measure.name), measure.digits) for measure in chosen)
            yield f"<tr><td class=words>{escape(value)}<td>{part['count']}{cells}"


def _cell(estimate: Mapping[str, Any] | None, digits: int) -> str:
    if estimate is None:
        return "<td>–"
    return f"<td>{number(estimate['value'], digits)}<br><small>{interval(estimate, digits)}</small>"


def _failures(result: Mapping[str, Any]) -> str:
    if not result["failures"]:
        return "<p>None.</p>"
    rows = "".join(
        "<tr>" + "".join(f"<td class=words>{escape(entry[key])}" for key in ("name", "status", "message"))
        for entry in result["failures"]
    )
    return f"<div class=wide><table><tr><th>Pair<th>Outcome<th>Reason{rows}</table></div>"


def _origin(result: Mapping[str, Any]) -> str:
    system, data, origin = result["system"], result["data"], result["origin"]
    machine = origin["machine"]
    rows = {
        "System": " ".join(str(system[key]) for key in ("kind", "name", "version") if key in system),
        "Options": ", ".join(f"{key} = {value}" for key, value in system.get("options", {}).items()),
        "Data": f"{data['folder']} ({data['layout']}, {data['split']}), {data['pairs']} pairs",
        "Fingerprint of the pairs": data["fingerprint"],
        "Command": origin["command"],
        "Version": f"vestiary {origin['vestiary']}" + (f", commit {origin['commit']}" if origin["commit"] else ""),
        "Date": origin["date"],
        "Machine": f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}",
        "Libraries": ", ".join(f"{name} {version}" for name, version in origin["libraries"].items()),
        "Measures": ", ".join(f"{name} {version}" for name, version in result["versions"].items()),
    }
    rows |= {f"Weights {name}": digest for name, digest in system.get("weights", {}).items()}
    rows |= {f"Network {name}": digest for name, digest in result["standard"]["sha256"].items()}
    cells = "".join(f"<tr><th>{escape(name)}<td class=words>{escape(str(text))}" for name, text in rows.items() if text)
    return f"<div class=wide><table class=facts>{cells}</table></div>"


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 90rem; font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.9rem; letter-spacing: -.02em; }
h2 { margin: 0 0 .75rem; font-size: 1.2rem; }
h3 { margin: 0 0 .25rem; font-size: .95rem; }
section { margin-top: 2rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
.note, figcaption, small { opacity: .75; font-size: .85rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
.figures td:not(.words) { white-space: nowrap; }
.facts td { overflow-wrap: anywhere; }
.facts th { white-space: nowrap; }
.group th { padding-top: 1rem; }
.arrow { font-weight: 400; opacity: .6; white-space: nowrap; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1.25rem; }
figure { margin: 0 0 1rem; }
img { display: block; max-width: 100%; border-radius: 6px; background: var(--soft); }
figcaption { overflow-wrap: anywhere; }
details { margin-top: .75rem; }
summary { cursor: pointer; }
"""

_PAGE = """<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
<h1>{heading}</h1>
<p>{lead}</p>
{body}
</html>
"""
