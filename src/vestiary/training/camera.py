"""What a camera makes of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary.training.cloth import Bank, shaded

if TYPE_CHECKING:
    from vestiary.types import Picture


def photographed(rng: np.random.Generator, bank: Bank, picture: Picture) -> Picture:
    """What a camera makes of it: light, colour cast, blur, noise, JPEG."""
    height, width = picture.shape[:2]
    light = 1 + bank.slow(rng, width, height) * np.float32(abs(rng.normal(0, 0.06)))
    gain = rng.normal(1, 0.05, 3) * rng.uniform(0.72, 1.2)
    levels = 255 * (np.arange(256) / 255) ** rng.uniform(0.8, 1.3)
    table = np.clip(levels[:, None] * gain, 0, 255).astype(np.uint8)[:, None, :]
    picture = cv2.LUT(shaded(picture, light), table).astype(np.uint8)
    if rng.random() < 0.45:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.3)).astype(np.uint8)
    if rng.random() < 0.4:
        noise = rng.normal(0, rng.uniform(1, 7), (height, width, 1)).astype(np.float32)
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 92))])[1]
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return picture
