"""How the picture moves: dense optical flow (DIS, Kroeger et al. 2016), and what was seen earlier carried along it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vestiary.types import Picture

F32 = NDArray[np.float32]
GRID = 256  # long side on which the motion is found


class Motion:
    """The flow from each frame back to the one before it."""

    def __init__(self) -> None:
        opencv: Any = cv2  # its type stubs do not know this class
        self._flow = opencv.DISOpticalFlow_create(opencv.DISOPTICAL_FLOW_PRESET_FAST)
        self._last: NDArray[np.uint8] | None = None

    def step(self, image: Picture) -> F32:
        """`(h, w, 2) float32` in pixels of the small grid: pixel p of this frame was at p + flow[p] in the last one."""
        scale = min(1.0, GRID / max(image.shape[:2]))
        size = max(16, round(image.shape[1] * scale)), max(16, round(image.shape[0] * scale))
        grey = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        last, self._last = self._last, np.asarray(grey, np.uint8)
        if last is None or last.shape != grey.shape:
            return np.zeros((*grey.shape, 2), np.float32)
        return np.asarray(self._flow.calc(grey, last, None), np.float32)


class Way:
    """The way from an earlier frame to the present one, and the means to carry pictures of that frame along it."""

    def __init__(self, size: tuple[int, ...]) -> None:
        self._start = np.dstack(np.meshgrid(np.arange(size[1]), np.arange(size[0]))).astype(np.float32)
        self._at = self._start

    def extend(self, flow: F32) -> None:
        """Go on by one frame."""
        self._at = np.asarray(cv2.remap(self._at, self._start + flow, None, cv2.INTER_LINEAR), np.float32)

    def carry(self, picture: NDArray[Any], *, labels: bool = False) -> NDArray[Any]:
        """A picture of the earlier frame, `(H, W)` or `(H, W, C ≤ 4)`, as it lies now; `labels` are not mixed."""
        height, width = picture.shape[:2]
        size = self._at.shape[:2]
        scale = np.array([width / size[1], height / size[0]], np.float32)
        places = cv2.resize(self._at, (width, height)) if (height, width) != size else self._at
        places = (places + np.float32(0.5)) * scale - np.float32(0.5)
        mode = cv2.INTER_NEAREST if labels else cv2.INTER_LINEAR
        return np.asarray(cv2.remap(picture, places, None, mode, borderMode=cv2.BORDER_REPLICATE))
