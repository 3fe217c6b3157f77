"""Two results set against each other, pair by pair; results of different protocols are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vestiary.errors import InputError
from vestiary.evaluation import distribution, measures, run, statistics
from vestiary.evaluation.summary import NETWORKS, read_result


def compare(first: Path, second: Path) -> dict[str, Any]:
    """What changes from the first result to the second, with intervals, JSON-ready.

    `difference` is second minus first; `gain` is the same on the scale on which more is better (for ratios, which
    should be 1, minus the distance from 1 of their logarithm), and `better` goes by it.

    Only pairs that both finished count, so a system that refuses hard pairs gains nothing by it.

    Args:
        first: a result file or its folder.
        second: another one.

    Raises:
        InputError: one is no result; protocol, setting, size or the measures' versions differ; or no pair is common.
    """
    results = read_result(first), read_result(second)
    check_comparable(*results)
    pairs = _common(*results)
    rows = {name: row for name in measures.PER_PAIR if (row := _difference(name, pairs)) is not None}
    return {
        "first": _head(results[0], first),
        "second": _head(results[1], second),
        "protocol": results[0]["protocol"],
        "pairs": len(pairs),
        "same_pairs": results[0]["data"]["fingerprint"] == results[1]["data"]["fingerprint"],
        "failure_rates": [result["failure_rate"] for result in results],
        "measures": rows,
        "set_measures": _sets(first, second, [name for name, _, _ in pairs]),
    }


def check_comparable(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Make sure that two results were judged in the same way.

    Raises:
        InputError: they were not; the message says in what they differ.
    """
    one, other = first["protocol"], second["protocol"]
    for key in ("name", "setting", "size", "repaint"):
        if one[key] != other[key]:
            what = "protocols" if key == "name" else f"a different {key}"
            values = f"{_said(one[key])} and {_said(other[key])}"
            hint = "Figures of different protocols never mix: evaluate both systems with the same one."
            raise InputError(f"these results follow {what}: {values}. They are not compared.", hint=hint)
    differing = sorted(
        name for name in first["versions"] if first["versions"][name] != second["versions"].get(name)
    ) + (["standard networks"] if first["standard"]["sha256"] != second["standard"]["sha256"] else [])
    if differing:
        hint = "Evaluate both again with one version; pictures that are there need not be made anew."
        raise InputError(f"these results were measured by different code: {', '.join(differing)}.", hint=hint)


def _said(value: object) -> str:
    return " x ".join(map(str, value)) if isinstance(value, list) else str(value)


def _head(result: Mapping[str, Any], path: Path) -> dict[str, Any]:
    return {"file": str(path), "system": result["system"], "origin": result["origin"], "counts": result["counts"]}


def _common(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name and both sides of every pair that both finished on the same pictures."""
    others = {pair["name"]: pair for pair in second["pairs"] if pair["status"] == "done"}
    found = [
        (pair["name"], pair, others[pair["name"]])
        for pair in first["pairs"]
        if pair["status"] == "done" and pair["name"] in others and _digests(pair) == _digests(others[pair["name"]])
    ]
    if not found:
        hint = "Evaluate both systems on the same list of pairs."
        raise InputError("these results have no finished pair in common.", hint=hint)
    return found


def _digests(pair: Mapping[str, Any]) -> dict[str, str]:
    return {role: entry["sha256"] for role, entry in pair["inputs"].items()}


def _difference(name: str, pairs: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> dict[str, Any] | None:
    measure = measures.PER_PAIR[name]
    values = [(a["measures"].get(name), b["measures"].get(name)) for _, a, b in pairs]
    both = [(a, b) for a, b in values if a is not None and b is not None]
    if not both or name.endswith("_truth"):
        return None
    merits = [(measure.merit(a), measure.merit(b)) for a, b in both]
    found = statistics.paired([a for a, _ in merits], [b for _, b in merits], higher_is_better=True)
    plain = statistics.bootstrap([b - a for a, b in both])
    return {
        "first": float(np.mean([a for a, _ in both])),
        "second": float(np.mean([b for _, b in both])),
        "difference": plain.as_dict(),
        "gain": found.estimate.as_dict(),
        "better": found.better,
        "second_wins": found.wins[0],
        "first_wins": found.wins[1],
    }


def _sets(first: Path, second: Path, names: list[str]) -> dict[str, Any]:
    """Differences of the distributions' distances on the common pairs; empty where the features are not at hand."""
    folders = [path if path.is_dir() else path.parent for path in (first, second)]
    try:
        kept = [[run.read_features(folder, name) for name in names] for folder in folders]
    except InputError:
        return {}
    found = {}
    for network, (frechet, kid) in NETWORKS.items():
        key = f"{network}_result"
        if len(names) < 2 or not all(key in features for side in kept for features in side):
            continue
        results = [np.stack([f[key] for f in side]).astype(np.float64) for side in kept]
        real = np.stack([f[f"{network}_real"] for f in kept[0]]).astype(np.float64)
        for name, distance in ((frechet, distribution.frechet), (kid, distribution.kid)):
            found[name] = _set_difference(distance, results, real)
    return found


def _set_difference(
    distance: distribution.Distance, results: list[distribution.Features], real: distribution.Features
) -> dict[str, Any]:
    """Both values and the interval of their difference: the same halves of the pairs are left out of both."""
    width = results[0].shape[1]

    def change(both: distribution.Features, photos: distribution.Features) -> float:
        return distance(both[:, width:], photos) - distance(both[:, :width], photos)

    both = np.hstack(results)
    low, high = distribution.interval(change, both, real) or (None, None)
    difference = statistics.Estimate(change(both, real), low, high, len(real))
    return {
        "first": distance(results[0], real),
        "second": distance(results[1], real),
        "difference": asdict(difference),
        "better": statistics.verdict(difference, higher_is_better=False),
    }
