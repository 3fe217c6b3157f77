"""The records of an evaluation become a result: means with intervals, slices, failures, and where it all comes from."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

import vestiary
from vestiary.errors import InputError
from vestiary.evaluation import distribution, measures, run, statistics

if TYPE_CHECKING:
    from vestiary.evaluation.run import Plan, Record

FORMAT = "vestiary-evaluation/1"
FILE = "result.json"
FEW = 8  # a slice of fewer pairs is shown without figures
NETWORKS = {"lite0": ("lite0_frechet", "lite0_kid"), "inception": ("fid", "kid")}


def summarize(plan: Plan, records: Sequence[Record]) -> dict[str, Any]:
    """The result, JSON-ready: everything that a table, a page or a comparison needs, and every pair's own figures."""
    done = [record for record in records if record.status == "done"]
    sets, set_absent = _set_measures(plan.folder, done)
    return {
        "format": FORMAT,
        "system": _system(plan),
        "data": _data(plan, records),
        "protocol": {
            "name": plan.protocol.name,
            "setting": plan.setting,
            "size": list(plan.protocol.size) if plan.protocol.size else "own",
            "repaint": plan.protocol.repaint,
        },
        "origin": origin(),
        "versions": measures.versions(),
        "standard": {"sha256": plan.standard.sha256},
        "counts": {
            "pairs": len(records),
            **{s: _count(records, s) for s in ("done", "refused", "crashed", "unreadable")},
        },
        "failure_rate": failure_rate(records).as_dict(),
        "measures": _means(done),
        "set_measures": sets,
        "absent": {**_absent(plan, done), **set_absent},
        "slices": _slices(done),
        "cautions": _cautions(plan, done),
        "failures": [
            {"name": r.name, "status": r.status, "code": r.code, "message": r.message}
            for r in records
            if r.status != "done"
        ],
        "pairs": [_pair(record) for record in records],
    }


def failure_rate(records: Sequence[Record]) -> statistics.Estimate:
    """The share of pairs that the system refused or crashed on; pairs with an unreadable file are nobody's fault."""
    tried = [record for record in records if record.status != "unreadable"]
    return statistics.wilson(sum(record.status != "done" for record in tried), len(tried))


def _count(records: Sequence[Record], status: str) -> int:
    return sum(record.status == status for record in records)


def _system(plan: Plan) -> dict[str, Any]:
    return plan.maker.describe()


def _data(plan: Plan, records: Sequence[Record]) -> dict[str, Any]:
    """Which pairs: the fingerprint is of their names and the SHA-256 of their pictures, in order."""
    lines = [json.dumps([r.name, {role: entry["sha256"] for role, entry in r.inputs.items()}]) for r in records]
    return {
        "folder": str(plan.dataset.folder),
        "layout": plan.dataset.layout,
        "split": plan.dataset.split,
        "fingerprint": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        "pairs": len(records),
        "missing_files": len(plan.dataset.missing),
    }


def origin() -> dict[str, Any]:
    """Command, commit, date, machine and the versions of what computes."""
    import onnxruntime

    return {
        "command": shlex.join(["vestiary", *sys.argv[1:]]),
        "vestiary": vestiary.__version__,
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "python": platform.python_version(),
        },
        "libraries": {"numpy": np.__version__, "opencv": cv2.__version__, "onnxruntime": onnxruntime.__version__},
    }


def commit() -> str | None:
    """The git commit of the running code, with "+changes" when files differ from it; None outside a checkout."""
    root = Path(vestiary.__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        head, changes = (
            subprocess.run(["git", "-C", str(root), *order], capture_output=True, text=True, check=True).stdout.strip()
            for order in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no", "--", "src"])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+changes" if changes else "")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _means(records: Sequence[Record]) -> dict[str, Any]:
    found = {}
    for name in measures.PER_PAIR:
        values = [value for r in records if (value := r.measures.get(name)) is not None]
        if values:
            found[name] = statistics.bootstrap(values).as_dict()
    return found


def _set_measures(folder: Path, records: Sequence[Record]) -> tuple[dict[str, Any], dict[str, str]]:
    """The distances of the distributions, and why some are absent."""
    if len(records) < 2:
        reason = "two results at least are needed."
        return {}, {name: reason for names in NETWORKS.values() for name in names}
    kept = [run.read_features(folder, record.name) for record in records]
    found: dict[str, Any] = {}
    for network, (frechet, kid) in NETWORKS.items():
        if not all(f"{network}_result" in features for features in kept):
            continue
        result, real = (
            np.stack([f[f"{network}_{side}"] for f in kept]).astype(np.float64) for side in ("result", "real")
        )
        for name, distance in ((frechet, distribution.frechet), (kid, distribution.kid)):
            value = distance(result, real)
            low, high = distribution.interval(distance, result, real) or (None, None)
            found[name] = statistics.Estimate(value, low, high, len(records)).as_dict()
    return found, {}


def _absent(plan: Plan, records: Sequence[Record]) -> dict[str, str]:
    """Why measures are not in the result."""
    reasons = dict(plan.standard.absent)
    if plan.setting == "unpaired":
        reasons = {name: reason for name, reason in reasons.items() if not name.startswith("lpips")}
        without = "the unpaired setting has no true photo."
        reasons |= dict.fromkeys(("psnr", "ssim", "ms_ssim", "lpips", "lite0_distance", "pattern_match"), without)
    if records and not any("outside_max" in record.measures for record in records):
        reasons["outside_max"] = reasons["outside_changed"] = "no mask says what might change."
    return reasons


def _slices(records: Sequence[Record]) -> dict[str, Any]:
    """For each slice and each of its values: how many pairs, and the means of all measures of pairs."""
    groups: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for name, value in record.slices.items():
            groups[name][value].append(record)
    return {
        name: {
            value: {"count": len(group), "measures": _means(group) if len(group) >= FEW else {}}
            for value, group in sorted(values.items())
        }
        for name, values in sorted(groups.items())
    }


def _cautions(plan: Plan, records: Sequence[Record]) -> list[str]:
    """What a reader of these figures should know."""
    said = []
    if plan.setting == "paired" and any(s.target == s.person for s in plan.samples):
        said.append(
            "The photo that is handed to the engine is the true photo: the person already wears the garment. Systems"
            " that see the photo, as Vestiary's engines do, are flattered against those that see it with the garment"
            " greyed out."
        )
    if len(records) < 500:
        said.append(
            f"{len(records)} results are few for distances of distributions: Fréchet distances are biased upwards, and"
            " only sets of the same size can be compared."
        )
    kinds = Counter(record.status for record in records)
    if kinds["done"] and plan.maker.describe()["kind"] == "pictures":
        said.append("The pictures were made elsewhere: nothing is known of weights, options and time.")
    return said


def _pair(record: Record) -> dict[str, Any]:
    return {
        "name": record.name,
        "status": record.status,
        "inputs": record.inputs,
        "picture": record.picture,
        "size": list(record.size) if record.size else None,
        "seconds": record.seconds,
        "measures": record.measures,
        "slices": record.slices,
    }


def read_result(path: Path) -> dict[str, Any]:
    """A result file; a folder stands for the `result.json` in it.

    Raises:
        InputError: it is missing, no JSON, or no result of this format.
    """
    file = path / FILE if path.is_dir() else path
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        hint = f"Hand in a {FILE} that `vestiary evaluate -o DIR` wrote, or its folder."
        raise InputError(f"there is no result {file}.", hint=hint) from None
    except ValueError:
        raise InputError(f"{file} is not JSON.", hint="Run the evaluation again.") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        hint = f"It must say format: {FORMAT}."
        raise InputError(f"{file} is not a result of this version's format.", hint=hint)
    return found
