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


def quantise(path: Path, out: Path, calibration: Iterable[Inputs], *, keep: Iterable[str] = ()) -> int:
    """Write an INT8 version of an ONNX file; weights per output channel, activations per tensor, as QDQ pairs.

    Args:
        calibration: inputs by name from which the range of every activation is taken; 32 to 200 of them are usual.
        keep: names of nodes that stay in floating point.

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
            nodes_to_exclude=list(keep),
        )
    return _integer_nodes(out)


def _reader_class() -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    return CalibrationDataReader


def _integer_nodes(path: Path) -> int:
    import onnx

    graph = onnx.load(str(path)).graph
    made = {name: node.op_type for node in graph.node for name in node.output}
    heavy = [node for node in graph.node if node.op_type in ("Conv", "MatMul", "Gemm", "ConvTranspose")]
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
