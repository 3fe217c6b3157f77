"""The ground behind the person, as it was seen whenever the person stood elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.agnostic import pull_push

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture

F32 = NDArray[np.float32]
LEARNING = 0.25  # how far a pixel follows what is seen of it in one frame
STILL = 0.25  # pixels of the flow's grid that a camera at rest may seem to move by
STRANGE = 16.0  # mean difference of the seen ground above which it is another one


class Ground:
    """A picture of the ground that grows as the person moves.

    The camera may stand still or pan slowly; when what is seen of the ground is something else altogether, it starts
    again.
    """

    def __init__(self) -> None:
        self._seen: F32 | None = None
        self._known: Mask | None = None
        self._made: F32 | None = None

    def see(self, image: Picture, hidden: Mask, flow: F32) -> None:
        """Learn from a frame.

        Args:
            image: `(H, W, 3) uint8`.
            hidden: `(H, W) uint8`, non-zero where the person may hide the ground.
            flow: `(h, w, 2)` motion from this frame back to the last one, in pixels of its own grid.
        """
        bare = cv2.compare(hidden, 0, cv2.CMP_EQ)
        if self._seen is None or self._known is None or self._seen.shape != image.shape:
            self._begin(image, bare)
            return
        self._pan(flow, hidden)
        both = cv2.bitwise_and(bare, self._known)
        if cv2.countNonZero(both):
            away = cv2.absdiff(image, cv2.convertScaleAbs(self._seen))
            if float(np.mean(cv2.mean(away, both)[:3])) > STRANGE:
                self._begin(image, bare)
                return
        cv2.accumulateWeighted(image, self._seen, LEARNING, both)
        first = cv2.bitwise_and(bare, cv2.bitwise_not(self._known))
        cv2.copyTo(image.astype(np.float32), first, self._seen)
        self._known = cast("Mask", cv2.bitwise_or(self._known, bare))

    def guess(self, picture: Picture) -> None:
        """Take in what the ground may look like where it was never seen."""
        new = picture.astype(np.float32)
        if self._made is None or self._made.shape != new.shape:
            self._made = new
        else:
            self._made = cast(F32, cv2.addWeighted(self._made, 0.6, new, 0.4, 0))

    def picture(self) -> Picture:
        """`(H, W, 3) uint8`: seen or guessed. To be asked for after `see`."""
        assert self._seen is not None
        assert self._known is not None
        assert self._made is not None
        soft = cv2.GaussianBlur(cv2.erode(self._known, np.ones((5, 5), np.uint8)), (0, 0), 2.0)
        share = (soft.astype(np.float32) / np.float32(255))[..., None]
        return cast("Picture", cv2.convertScaleAbs(self._made + share * (self._seen - self._made)))

    def _begin(self, image: Picture, bare: Mask) -> None:
        if self._made is None or self._made.shape != image.shape or self._seen is not None:
            self._made = pull_push(image, bare).astype(np.float32)
        self._seen, self._known = image.astype(np.float32), bare

    def _pan(self, flow: F32, hidden: Mask) -> None:
        """Move what is known along with a camera that pans."""
        height, width = hidden.shape
        small = cv2.resize(hidden, (flow.shape[1], flow.shape[0]), interpolation=cv2.INTER_AREA) == 0
        if self._seen is None or small.sum() < 50:
            return
        dx, dy = np.median(flow[small], axis=0)
        if abs(dx) < STILL and abs(dy) < STILL:
            return
        move = np.array([[1, 0, dx * width / flow.shape[1]], [0, 1, dy * height / flow.shape[0]]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (width, height)
        self._seen = cast(F32, cv2.warpAffine(self._seen, move, size, flags=flags, borderMode=cv2.BORDER_REPLICATE))
        self._known = cast("Mask", cv2.warpAffine(self._known, move, size, flags=flags))
        self._known = cast("Mask", cv2.compare(self._known, 254, cv2.CMP_GT))
        if self._made is not None:
            self._made = cast(F32, cv2.warpAffine(self._made, move, size, flags=flags, borderMode=cv2.BORDER_REPLICATE))
