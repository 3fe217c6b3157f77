"""Where each landmark of a garment goes on this body.

The garment keeps its own proportions: one scale, found from the widths that a body fixes (shoulders and chest, or waist
and hips), gives its length, its sleeves and its neckline.
"""

from __future__ import annotations

import numpy as np

from vestiary.fitting import lower, upper
from vestiary.fitting.body import Body
from vestiary.fitting.drape import Placement
from vestiary.types import LOWER, Garment


def place(body: Body, garment: Garment, *, size: float = 1.0) -> Placement:
    """The placement of any garment.

    Args:
        size: 1 = regular fit; 1.1 = a tenth wider and longer.
    """
    marks = garment.landmarks[:, :2].astype(np.float64)
    placed = lower.place_lower if garment.category in LOWER else upper.place_upper
    return placed(body, garment, marks, size)
