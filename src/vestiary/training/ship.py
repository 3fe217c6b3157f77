"""From a checkpoint to files that can be shipped: ONNX, compared with PyTorch, and INT8 with what it costs."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vestiary.errors import OptionError, TrainingError
from vestiary.files import check_place, write_file
from vestiary.training import checkpoint
from vestiary.training.config import load_config
from vestiary.training.export import Answering, Exported, OnnxFile, differences
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
        calibration: inputs, seen while validating, from which INT8 takes its ranges.
        float_ends: keep the first and last layers of the INT8 file in floating point.
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
    float_ends: bool = False


def ship(order: Order) -> dict[str, Any]:
    """Write the files and tell, as JSON-ready data, what they are and how they compare; or write a model folder.

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
    if hasattr(recipe, "save_folder"):
        return {**report, "folder": str(order.out), "card": recipe.save_folder(networks, order.out)}
    exported = _exported(recipe, networks)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        drafts = {"onnx": Path(folder) / "network.onnx"}
        recipe.export(networks, drafts["onnx"])
        inputs = list(itertools.islice(_noise(exported), COMPARED))
        if order.scored or order.int8:
            with _witness(_source(networks, exported), exported, order.calibration) as seen:
                report["score"] = recipe.validate(networks)
            inputs = seen or inputs
        report["onnx"] = _described(order.out, drafts["onnx"], exported, inputs[:COMPARED])
        _check(report["onnx"]["difference"], order.tolerance)
        if order.int8:
            drafts["int8"] = Path(folder) / "int8.onnx"
            arrays = ({name: tensor.numpy() for name, tensor in one.items()} for one in inputs)
            count = quantise(drafts["onnx"], drafts["int8"], arrays, float_ends=order.float_ends)
            report["int8"] = _described(int8_path(order.out), drafts["int8"], exported, inputs[:COMPARED])
            report["int8"] |= {"integer_nodes": count, "calibration": len(inputs)}
        for key, draft in drafts.items():
            if "score" in report:
                report[key]["score"] = recipe.validate(_answering(recipe, exported, OnnxFile(draft), inputs[0]))
        for key, draft in drafts.items():
            write_file(report[key]["file"], draft.read_bytes())
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


def _noise(exported: Exported) -> Iterator[dict[str, Tensor]]:
    """The recipe's example, and noise within its range."""
    yield exported.inputs
    draw = torch.Generator().manual_seed(0)
    while True:
        pairs = exported.inputs.items()
        yield {name: one.min() + torch.rand(one.shape, generator=draw) * (one.max() - one.min()) for name, one in pairs}


def _source(networks: Mapping[str, nn.Module], exported: Exported) -> nn.Module:
    """The network that the exported module is, or wraps."""
    inside = {id(module) for module in exported.module.modules()}
    return next((network for network in networks.values() if id(network) in inside), exported.module)


@contextlib.contextmanager
def _witness(network: nn.Module, exported: Exported, most: int) -> Iterator[list[dict[str, Tensor]]]:
    """The inputs that a network is given meanwhile, one sample each, in their order."""
    seen: list[dict[str, Tensor]] = []

    def note(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        for row in range(len(given[0])):
            if len(seen) < most:
                rows = (tensor[row : row + 1].detach().cpu().float().contiguous() for tensor in given)
                seen.append(dict(zip(exported.inputs, rows, strict=True)))

    handle = network.register_forward_pre_hook(note)
    try:
        yield seen
    finally:
        handle.remove()


def _answering(
    recipe: Recipe, exported: Exported, file: OnnxFile, example: Mapping[str, Tensor]
) -> dict[str, nn.Module]:
    """The recipe's networks with the file in the place of the one that it was made from."""
    if hasattr(recipe, "answering"):
        found: dict[str, nn.Module] = recipe.answering(file)
        return found
    source = _source(recipe.networks, exported)
    stand_in = Answering(file, exported, source, list(example.values()))
    return {name: stand_in if network is source else network for name, network in recipe.networks.items()}


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
