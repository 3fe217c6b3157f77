"""Trained networks as ONNX files: folded, with half-precision weights, and compared with PyTorch."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

SMALLEST = 64  # numbers; smaller weights stay as they are
OPSET = 17


@dataclass(frozen=True)
class Exported:
    """What goes into an ONNX file.

    Attributes:
        module: takes the inputs in their order, gives a tensor or a tuple of them.
        inputs: an example of each input by name; their shapes are the file's.
        outputs: the names of the outputs.
    """

    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]


def write_onnx(exported: Exported, path: Path) -> None:
    """Write the ONNX file; batch norms are folded into convolutions, large weights are kept as float16.

    The arithmetic stays in single precision.
    """
    module = copy.deepcopy(exported.module).cpu().eval()
    module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    example = tuple(tensor.cpu() for tensor in exported.inputs.values())
    names: dict[str, Any] = {"input_names": list(exported.inputs), "output_names": list(exported.outputs)}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about the exporter's own age, and about shapes that are constant here
        torch.onnx.export(module, example, str(path), opset_version=OPSET, dynamo=False, **names)
    halve_weights(path)


def halve_weights(path: Path) -> None:
    """Store every large weight of an ONNX file as float16, with a cast that ONNX Runtime folds away when it loads."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(str(path))
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < SMALLEST:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
