"""From a checkpoint to files that can be shipped: ONNX, compared with PyTorch, and INT8 with what it costs."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vestiary.errors import InputError, OptionError, TrainingError
from vestiary.files import check_place, write_file
from vestiary.training import checkpoint
from vestiary.training.config import load_config
from vestiary.training.export import Answering, Exported, OnnxFile, differences
from vestiary.training.loader import Readable
from vestiary.training.quantise import quantise
from vestiary.training.recipes import Recipe, find_recipe, load_recipe, make_recipe

TOLERANCE = 0.02  # of an output's largest value; weights in half precision cost up to about 0.005
COMPARED = 4  # inputs


@dataclass(frozen=True)
class Order:
    """What is to be made of a checkpoint.

    Attributes:
        recipe: its recipe, where the checkpoint's own name for it does not do.
        overrides: `key=value` over the checkpoint's configuration; `data=DIR` where the data is.
        scored: validate PyTorch, ONNX and INT8 with the recipe's own score; needs the data.
        calibration: samples from which INT8 takes its ranges.
        tolerance: largest difference to PyTorch, as a share of an output's largest value.
    """

    checkpoint: Path
    out: Path
    recipe: str | None = None
    overrides: tuple[str, ...] = ()
    int8: bool = False
    scored: bool = False
    calibration: int = 64
    tolerance: float = TOLERANCE


def ship(order: Order) -> dict[str, Any]:
    """Write the files and tell, as JSON-ready data, what they are and how they compare.

    Raises:
        WeightsError: no checkpoint, a damaged one, or one of another recipe or architecture.
        InputError: INT8 or a score was asked for, and the data is not there.
        TrainingError: the ONNX file does not answer as the trained network does; nothing was written.
        OutputError: a file cannot be written.
    """
    check_place(order.out)
    content = checkpoint.read(order.checkpoint)
    recipe = restore(order, content)
    networks = {name: network.eval() for name, network in recipe.networks.items()}
    report: dict[str, Any] = {"recipe": recipe.name, "steps": content["position"]["steps"]}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        draft = Path(folder) / "network.onnx"
        recipe.export(networks, draft)
        exported = _exported(recipe, networks)
        compared = list(itertools.islice(_inputs(recipe, exported, real=order.int8 or order.scored), COMPARED))
        report["onnx"] = _described(order.out, draft, exported, compared)
        _check(report["onnx"]["difference"], order.tolerance)
        if order.int8:
            small = Path(folder) / "int8.onnx"
            calibration = itertools.islice(_inputs(recipe, exported, real=True, split="train"), order.calibration)
            count = quantise(draft, small, ({name: t.numpy() for name, t in one.items()} for one in calibration))
            report["int8"] = _described(int8_path(order.out), small, exported, compared)
            report["int8"] |= {"integer_nodes": count, "calibration": order.calibration}
        if order.scored or order.int8:
            report["score"] = recipe.validate(networks)
            for key, file in (("onnx", draft), ("int8", small if order.int8 else None)):
                if file is not None:
                    report[key]["score"] = recipe.validate(_answering(recipe, networks, exported, OnnxFile(file)))
        for key, file in (("onnx", draft), ("int8", small if order.int8 else None)):
            if file is not None:
                write_file(report[key]["file"], file.read_bytes())
    return report


def restore(order: Order, content: Mapping[str, Any]) -> Recipe:
    """The recipe with the checkpoint's averaged weights.

    Raises:
        WeightsError: the checkpoint is of another recipe or architecture.
    """
    spec = find_recipe(order.recipe or content["recipe"])
    kind = load_recipe(spec)
    checkpoint.check_recipe(content, kind.name, order.checkpoint)
    source = f"the configuration in {order.checkpoint}"
    config = load_config(kind.Config, content["config"], overrides=order.overrides, source=source)
    recipe = make_recipe(kind, config, order.checkpoint.parent)
    checkpoint.load_networks(recipe.networks, content["averaged"], order.checkpoint)
    return recipe


def int8_path(out: Path) -> Path:
    """Where the INT8 version of a file goes."""
    return out.with_name(f"{out.stem}.int8{out.suffix}")


def _exported(recipe: Recipe, networks: dict[str, nn.Module]) -> Exported:
    if not hasattr(recipe, "exported"):
        message = f"the recipe {recipe.name} does not say how to compare its ONNX file."
        raise OptionError(message, hint="Give it a method exported(networks).")
    found: Exported = recipe.exported(networks)
    return found


def _inputs(
    recipe: Recipe, exported: Exported, *, real: bool, split: str = "validation"
) -> Iterator[dict[str, Tensor]]:
    """Inputs of the network: of real samples, or the recipe's example and noise like it."""
    if not real:
        yield exported.inputs
        draw = torch.Generator().manual_seed(0)
        while True:
            pairs = exported.inputs.items()
            yield {
                name: one.min() + torch.rand(one.shape, generator=draw) * (one.max() - one.min()) for name, one in pairs
            }
    samples: Any = recipe.samples(split)
    numbers: Iterable[int] = itertools.count() if split == "train" else range(len(samples))
    readable = Readable(samples)
    for number in numbers:
        item = readable[number]
        if item.problem is not None:
            raise item.problem
        yield _of_sample(recipe, exported, item.sample)
    if split != "train" and len(samples) == 0:
        raise InputError("the data holds no validation samples.", hint="Name the right folder with --data.")


def _of_sample(recipe: Recipe, exported: Exported, sample: Mapping[str, Any]) -> dict[str, Tensor]:
    if hasattr(recipe, "inputs"):
        found: dict[str, Tensor] = recipe.inputs(sample)
        return found
    return {name: torch.as_tensor(sample[name])[None].float() for name in exported.inputs}


def _answering(
    recipe: Recipe, networks: dict[str, nn.Module], exported: Exported, file: OnnxFile
) -> dict[str, nn.Module]:
    if hasattr(recipe, "answering"):
        found: dict[str, nn.Module] = recipe.answering(file)
        return found
    first = next(iter(networks))
    return {**networks, first: Answering(file, list(exported.inputs))}


def _described(out: Path, file: Path, exported: Exported, compared: list[dict[str, Tensor]]) -> dict[str, Any]:
    content = file.read_bytes()
    session = OnnxFile(file)
    return {
        "file": str(out),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "milliseconds": session.milliseconds(compared[0]),
        "difference": differences(exported, session, compared),
    }


def _check(found: Mapping[str, Mapping[str, float]], tolerance: float) -> None:
    """Raises TrainingError: an output differs by more than the tolerance."""
    worst = max(found, key=lambda name: found[name]["relative_max"])
    gap = found[worst]["relative_max"]
    if not gap <= tolerance:
        message = (
            f"the ONNX file does not answer as the trained network: {worst} differs by {gap:.2%} of its largest value."
        )
        raise TrainingError(message, hint=f"Nothing was written. Allowed are {tolerance:.2%}; see --tolerance.")
