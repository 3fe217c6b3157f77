"""The watermark: nothing outside the mask changes; it is read back after what the web does; none is invented."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from vestiary import samples
from vestiary.errors import OptionError
from vestiary.images import encode_picture, open_picture
from vestiary.trust.watermark import detect, embed, payload_of, scores_of

PAYLOAD = payload_of("a fitting")


def person() -> np.ndarray:
    image = open_picture(next(iter(samples.people().values()))).image
    return cv2.resize(image, (768, 1024), interpolation=cv2.INTER_AREA)


def torso(image: np.ndarray) -> np.ndarray:
    mask = np.zeros(image.shape[:2], np.uint8)
    height, width = mask.shape
    mask[int(0.2 * height) : int(0.55 * height), int(0.25 * width) : int(0.75 * width)] = 255
    return mask


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    image = person()
    return image, embed(image, torso(image), PAYLOAD)


def test_only_pixels_under_the_mask_change_and_only_a_little(pair: tuple[np.ndarray, np.ndarray]) -> None:
    image, marked = pair
    mask = torso(image)
    assert np.array_equal(marked[mask == 0], image[mask == 0])
    error = float(np.mean((marked[mask > 0].astype(float) - image[mask > 0]) ** 2))
    assert 10 * np.log10(255**2 / error) >= 42
    assert np.array_equal(marked, embed(image, mask, PAYLOAD))


def test_what_the_web_does_to_pictures_leaves_the_mark(pair: tuple[np.ndarray, np.ndarray]) -> None:
    marked = pair[1]
    for change in (
        marked,
        np.array(Image.open(io.BytesIO(encode_picture(marked, "jpeg", quality=60)))),
        np.array(Image.open(io.BytesIO(encode_picture(marked, "webp", quality=80)))),
        np.array(Image.open(io.BytesIO(encode_picture(marked, "avif", quality=75)))),
        cv2.resize(marked, (384, 512), interpolation=cv2.INTER_AREA),
        cv2.resize(marked, (1152, 1536), interpolation=cv2.INTER_CUBIC),
    ):
        found = detect(change)
        assert found is not None
        assert found.payload == PAYLOAD


def test_no_mark_is_found_where_there_is_none(pair: tuple[np.ndarray, np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    flat, noise = np.full((700, 500, 3), 200, np.uint8), rng.integers(0, 256, (700, 500, 3), np.uint8)
    stripes = np.tile((np.arange(512) // 8 % 2 * 255).astype(np.uint8)[:, None, None], (1, 400, 3))
    for image in (pair[0], flat, noise, stripes, *(open_picture(path).image for path in samples.garments().values())):
        assert detect(image) is None
    assert np.abs(scores_of(flat)).max() < 1
    assert detect(pair[1], key=7) is None


def test_white_and_black_cloth_can_carry_it() -> None:
    rng = np.random.default_rng(1)
    for level in (250, 6):
        image = np.clip(np.round(rng.normal(level, 2, (800, 600, 1))), 0, 255).astype(np.uint8).repeat(3, axis=2)
        marked = embed(image, torso(image), PAYLOAD)
        found = detect(np.array(Image.open(io.BytesIO(encode_picture(marked, "jpeg", quality=85)))))
        assert found is not None
        assert found.payload == PAYLOAD


def test_an_empty_mask_changes_nothing_and_a_wrong_payload_is_refused(pair: tuple[np.ndarray, np.ndarray]) -> None:
    image = pair[0]
    assert np.array_equal(embed(image, np.zeros(image.shape[:2], np.uint8), PAYLOAD), image)
    with pytest.raises(OptionError, match="4 bytes"):
        embed(image, torso(image), b"too long")
