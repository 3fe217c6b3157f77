"""One TensorFlow Lite network, loaded once per process and safe to call from several threads."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestiary import weights

THREADS = 2


class Network:
    """A `.tflite` file of `vestiary.weights` that maps one float32 tensor to several."""

    def __init__(self, name: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter: Any = Interpreter(model_path=str(weights.path(name)), num_threads=THREADS)
        self._interpreter.allocate_tensors()
        self._input: int = self._interpreter.get_input_details()[0]["index"]
        self._outputs: list[int] = [output["index"] for output in self._interpreter.get_output_details()]
        self._lock = threading.Lock()

    def __call__(self, tensor: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The network's outputs in the file's order, without their batch axis.

        Args:
            tensor: `(H, W, C) float32` in the network's own range.
        """
        with self._lock:
            self._interpreter.set_tensor(self._input, tensor[None])
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(index)[0] for index in self._outputs]


_making = threading.Lock()


@functools.cache
def _made(name: str) -> Network:
    return Network(name)


def network(name: str) -> Network:
    """The network of that name, made on first use.

    Raises:
        WeightsError: its file is missing and cannot be fetched.
    """
    with _making:
        return _made(name)
