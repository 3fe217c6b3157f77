"""The garment network as an ONNX file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from vestiary.networks.garment import SIDE, GarmentNetwork

OUTPUTS = ("mask", "heat", "visible", "category", "sleeve", "neckline", "up", "presence")


class Answers(nn.Module):
    """The network with probabilities for logits, as the run time wants them; `heat` stays logits."""

    def __init__(self, network: GarmentNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        found = cast(dict[str, Tensor], self.network(image))
        for name in ("mask", "visible", "presence"):
            found[name] = found[name].sigmoid()
        for name in ("category", "sleeve", "neckline"):
            found[name] = found[name].softmax(1)
        return tuple(found[name] for name in OUTPUTS)


def export(network: GarmentNetwork, path: Path) -> None:
    """Write the ONNX file (opset 17, input `image (1, 3, 256, 256)` in 0..255), weights stored as 16-bit floats."""
    import onnx

    answers = Answers(network).eval()
    example = torch.rand(1, 3, SIDE, SIDE) * 255
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            answers,
            (example,),
            str(path),
            input_names=["image"],
            output_names=list(OUTPUTS),
            opset_version=17,
            dynamo=False,
        )
    model = onnx.load(str(path))
    halve(model)
    onnx.save(model, str(path))


def halve(model: object) -> None:
    """Store every large weight of an ONNX model as float16 behind a Cast: half the file, the same arithmetic."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph  # type: ignore[attr-defined]
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < 512:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + ".half"))
        casts.append(helper.make_node("Cast", [name + ".half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
