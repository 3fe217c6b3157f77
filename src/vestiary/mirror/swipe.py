"""A swipe of the hand, read from the wrists' way through the last half second."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from vestiary.types import Joint

if TYPE_CHECKING:
    from vestiary.types import Points

Swipe = Literal["next", "previous"]
REACH = 0.8  # shoulder widths that the wrist must go sideways
WITHIN = 0.6  # seconds
COOL_DOWN = 1.2  # seconds after a swipe in which the hand may come back
LEVEL = 0.5  # how far the way may go up or down, over how far it goes sideways
LOWEST = 0.7  # of the way from shoulders to hips; hands that swing beside a walker are lower
SURE = 0.5
_WRISTS = (Joint.LEFT_WRIST, Joint.RIGHT_WRIST)


class SwipeWatch:
    """Tells a swipe from everything else that hands do.

    A wrist goes sideways, against the chest, by `REACH` shoulder widths within `WITHIN` seconds, well above the
    hips, and more sideways than up or down. Towards the wearer's left, which is left in a mirror, it calls for the
    next garment; the other way for the previous one.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, NDArray[np.float64]]] = deque()
        self._quiet_until = -np.inf

    def step(self, pose: Points, time: float) -> Swipe | None:
        """What the hands called for, in the frame in which the swipe is complete.

        Args:
            pose: `(33, 4)` landmarks, x, y, z in pixels and confidence; best not smoothed.
            time: seconds, rising.
        """
        if time < self._quiet_until:
            return None
        self._seen.append((time, _hands(pose)))
        while time - self._seen[0][0] > WITHIN:
            self._seen.popleft()
        for hand in range(2):
            way = self._way(hand)
            if way is not None:
                self._quiet_until = time + COOL_DOWN
                self._seen.clear()
                return "next" if way > 0 else "previous"
        return None

    def _way(self, hand: int) -> float | None:
        """Signed shoulder widths of a swipe that ends now; None if there is none."""
        track = np.array([places[hand] for _, places in self._seen])
        sure = np.isfinite(track).all(axis=1)
        if not sure[-1] or len(track) < 3:
            return None
        first = len(track) - int(np.argmin(sure[::-1])) if not sure.all() else 0  # unbroken up to now
        track = track[first:]
        if len(track) < 3:
            return None
        moved = track[-1] - track
        start = int(np.abs(moved[:, 0]).argmax())
        across, down = moved[start]
        steps = np.diff(track[start:, 0]) * np.sign(across)
        straight = steps.min(initial=0) > -0.15 and np.ptp(track[start:, 1]) < LEVEL * abs(across)
        return float(across) if abs(across) >= REACH and straight and abs(down) < LEVEL * abs(across) else None


def _hands(pose: Points) -> NDArray[np.float64]:
    """`(2, 2)`: the wrists against the chest in shoulder widths, NaN for one that hangs down or is not seen."""
    places = pose.astype(np.float64)
    left, right = places[Joint.LEFT_SHOULDER, :2], places[Joint.RIGHT_SHOULDER, :2]
    chest, hips = (left + right) / 2, (places[Joint.LEFT_HIP, :2] + places[Joint.RIGHT_HIP, :2]) / 2
    width = max(float(np.linalg.norm(left - right)), 0.6 * float(np.linalg.norm(chest - hips)), 1e-6)
    hands = (places[list(_WRISTS), :2] - chest) / width
    lowest = chest[1] + LOWEST * (hips[1] - chest[1])
    hidden = (places[list(_WRISTS), 3] < SURE) | (places[list(_WRISTS), 1] > lowest)
    hands[hidden] = np.nan
    return hands
