"""INT8 versions of ONNX files: static, per channel, with activations calibrated on real samples (Jacob et al. 2018)."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Inputs = Mapping[str, NDArray[Any]]


HEAVY = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def quantise(path: Path, out: Path, calibration: Iterable[Inputs], *, float_ends: bool = False) -> int:
    """Write an INT8 version of an ONNX file; weights per output channel, activations per tensor, as QDQ pairs.

    Args:
        calibration: inputs by name from which the range of every activation is taken; 32 to 200 of them are usual.
        float_ends: leave the first layers and the last ones, and what follows these, in floating point; for networks
            whose answer is a small correction.

    Returns:
        How many convolutions and matrix products compute in INT8.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(_reader_class()):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest: Iterator[Inputs] = iter(calibration)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return (
                {name: np.asarray(value) for name, value in found.items()} if (found := next(self.rest, None)) else None
            )

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")
        ready = str(Path(folder) / "ready.onnx")
        quant_pre_process(str(path), ready, skip_symbolic_shape=True)  # folds the casts of half-precision weights
        quantize_static(
            ready,
            str(out),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_ends(ready) if float_ends else [],
        )
    return _integer_nodes(out)


def _reader_class() -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    return CalibrationDataReader


def _ends(path: str) -> list[str]:
    """The layers that read the graph's inputs directly, and every node with no other layer after it."""
    import onnx

    graph = onnx.load(path).graph
    inner = set(HEAVY)
    before: set[str] = {one.name for one in graph.input}  # tensors with no layer before them
    for node in graph.node:
        if node.op_type not in inner and any(name in before for name in node.input):
            before |= set(node.output)
    first = [node.name for node in graph.node if node.op_type in inner and set(node.input) & before]
    needed: set[str] = set()  # tensors with a layer after them
    last = []
    for node in reversed(graph.node):
        if not set(node.output) & needed:
            last.append(node.name)
        if node.op_type in inner or set(node.output) & needed:
            needed |= set(node.input)
    return [*first, *last]


def _integer_nodes(path: Path) -> int:
    import onnx

    graph = onnx.load(str(path)).graph
    made = {name: node.op_type for node in graph.node for name in node.output}
    heavy = [node for node in graph.node if node.op_type in HEAVY]
    return sum(all(made.get(name) == "DequantizeLinear" for name in node.input[:2]) for node in heavy)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantiser's notes on the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
