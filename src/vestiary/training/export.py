"""Trained networks as ONNX files: folded, with half-precision weights, and compared with PyTorch."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vestiary.errors import OptionError

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


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX file that answers with tensors; inputs with several samples are asked one by one."""

    path: Path

    @cached_property
    def session(self) -> Any:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        settings.log_severity_level = 3
        return onnxruntime.InferenceSession(str(self.path), settings, providers=["CPUExecutionProvider"])

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        names = [output.name for output in self.session.get_outputs()]
        arrays = {name: tensor.detach().cpu().float().numpy() for name, tensor in inputs.items()}
        count = len(next(iter(arrays.values())))
        rows = [
            self.session.run(None, {name: array[i : i + 1] for name, array in arrays.items()}) for i in range(count)
        ]
        return {
            name: torch.from_numpy(np.concatenate(parts))
            for name, parts in zip(names, zip(*rows, strict=True), strict=True)
        }

    def milliseconds(self, inputs: Mapping[str, Tensor], times: int = 7) -> float:
        """Median time of one answer on one thread, without what other programs take meanwhile."""
        self(inputs)
        taken = []
        for _ in range(times):
            started = time.thread_time()
            self(inputs)
            taken.append(time.thread_time() - started)
        return round(1000 * float(np.median(taken)), 2)


class Answering(nn.Module):
    """An ONNX file in the place of the network that it was made from: same inputs, same form of answer.

    An output of the file may be the network's own, its sigmoid or its softmax; which one, is found out on an example.
    `run` is the file.

    Raises:
        OptionError: an output is none of these.
    """

    def __init__(self, run: OnnxFile, exported: Exported, network: nn.Module, example: Sequence[Tensor]) -> None:
        super().__init__()
        self.run, self.inputs, self.outputs = run, tuple(exported.inputs), exported.outputs
        self.anchor = nn.Parameter(torch.zeros(()), requires_grad=False)  # callers ask for the device of the weights
        with torch.no_grad():
            self.form = network(*example)
            shown = exported.module(*example)
        shown = (shown,) if isinstance(shown, Tensor) else tuple(shown)
        raw = list(_named(self.form, self.outputs).values())
        self.undo = [_inverse(one, other) for one, other in zip(shown, raw, strict=True)]
        if None in self.undo:
            name = self.outputs[self.undo.index(None)]
            message = f"the output {name} cannot be led back to the network's answer."
            raise OptionError(
                message, hint="Give the recipe a method answering(file), or leave --score and --int8 out."
            )

    def forward(self, *inputs: Tensor) -> Any:
        """What the file answers, as a tensor, tuple or dict like the network's."""
        answer = self.run(dict(zip(self.inputs, inputs, strict=True)))
        found = [undo(answer[name]) for name, undo in zip(self.outputs, self.undo, strict=True) if undo]
        if isinstance(self.form, Mapping):
            return dict(zip(self.outputs, found, strict=True))
        return found[0] if isinstance(self.form, Tensor) else tuple(found)


def _named(form: Any, names: Sequence[str]) -> dict[str, Tensor]:
    if isinstance(form, Mapping):
        return {name: form[name] for name in names}
    return dict(zip(names, [form] if isinstance(form, Tensor) else form, strict=True))


def _inverse(shown: Tensor, raw: Tensor) -> Callable[[Tensor], Tensor] | None:
    """What leads from an output of the file back to the network's."""
    if torch.allclose(shown, raw, atol=1e-5):
        return lambda value: value
    if torch.allclose(shown, raw.sigmoid(), atol=1e-5):
        return lambda value: value.clamp(1e-7, 1 - 1e-7).logit()
    if raw.ndim > 1 and torch.allclose(shown, raw.softmax(1), atol=1e-5):
        return lambda value: value.clamp_min(1e-9).log()
    return None


@torch.no_grad()
def differences(
    exported: Exported, file: OnnxFile, samples: Iterable[Mapping[str, Tensor]]
) -> dict[str, dict[str, float]]:
    """Of each output: the largest and the mean difference to PyTorch, and both as shares of its largest value."""
    module = copy.deepcopy(exported.module).cpu().eval()
    module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    gaps: dict[str, list[Tensor]] = {name: [] for name in exported.outputs}
    scale = dict.fromkeys(exported.outputs, 1e-9)
    for inputs in samples:
        wanted = module(*inputs.values())
        wanted = (wanted,) if isinstance(wanted, Tensor) else tuple(wanted)
        answers = file(inputs)
        for name, value in zip(exported.outputs, wanted, strict=True):
            gaps[name].append((answers[name] - value).abs().flatten())
            scale[name] = max(scale[name], float(value.abs().max()))
    found = {}
    for name, parts in gaps.items():
        gap = torch.cat(parts)
        largest, mean = float(gap.max()), float(gap.mean())
        found[name] = {
            "max": largest,
            "mean": mean,
            "relative_max": largest / scale[name],
            "relative_mean": mean / scale[name],
        }
    return found
