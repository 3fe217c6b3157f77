"""Wide blurs and growths are what they would be at full cost."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vestiary.fitting.smooth import blur, grow


@pytest.mark.parametrize("sigma", [1.0, 7.9, 9.0, 30.0])
def test_wide_blur_is_the_gaussian_of_full_cost(sigma: float) -> None:
    field = np.zeros((301, 403), np.float32)
    field[100:190, 150:300] = 1
    exact = cv2.GaussianBlur(field, (0, 0), sigma)
    assert np.abs(blur(field, sigma) - exact).max() < 0.03


@pytest.mark.parametrize("reach", [1.0, 4.5, 25.0])
def test_growth_reaches_so_far_and_no_farther(reach: float) -> None:
    mask = np.zeros((101, 121), np.uint8)
    mask[50, 60] = 7
    y, x = np.mgrid[0:101, 0:121]
    distance = np.hypot(y - 50, x - 60)
    grown = grow(mask, reach) == 255
    assert grown[distance <= reach * 0.95].all()
    assert not grown[distance > reach * 1.05].any()


def test_nothing_grows_to_nothing() -> None:
    assert not grow(np.zeros((20, 30), np.uint8), 9).any()
