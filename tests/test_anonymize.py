"""Faces are hidden for good, and nothing else of the picture changes."""

from __future__ import annotations

import cv2
import figures
import numpy as np
import pytest

from vestiary import samples, weights
from vestiary.images import open_picture
from vestiary.person import anonymize
from vestiary.person.anonymize import hide_face, hide_faces
from vestiary.person.faces import Face, find_faces
from vestiary.types import Part

needs_network = pytest.mark.skipif(
    weights.list_weights()["face_detection_short_range"].status != "ready", reason="the face network is not there"
)


@pytest.fixture
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anonymize, "find_faces", lambda image: [])


@pytest.mark.usefixtures("nobody_else")
def test_the_face_becomes_a_coarse_mosaic_and_the_clothes_stay() -> None:
    person = figures.person(scale=2)
    grain = np.random.default_rng(0).integers(-30, 30, person.image.shape)
    person.image.setflags(write=True)
    person.image[:] = np.clip(person.image + grain, 0, 255)
    hidden = hide_face(person)
    face, top = person.is_part(Part.FACE), person.is_part(Part.TOP)
    assert (hidden[face] != person.image[face]).mean() > 0.9
    assert np.array_equal(hidden[top], person.image[top])
    assert len(np.unique(hidden[face], axis=0)) < 100, "only a few cells are left of it"
    assert np.array_equal(hidden, hide_face(person))


@pytest.mark.usefixtures("nobody_else")
def test_two_faces_of_like_colour_become_the_same_cells() -> None:
    """What told them apart is gone, so it cannot be reckoned back."""
    seen = []
    for shift in (-3, 3):
        person = figures.person(scale=2)
        person.image.setflags(write=True)
        face = person.is_part(Part.FACE)
        person.image[face] = 136
        person.image[face & (np.indices(face.shape).sum(axis=0) % 2 == 0)] += np.uint8(shift + 3)
        seen.append(hide_face(person)[96:112, 292:308])
    assert np.array_equal(*seen)


def test_faces_of_others_are_hidden_too_but_not_patterns_on_clothes(monkeypatch: pytest.MonkeyPatch) -> None:
    person = figures.person(scale=2)
    beside, on_top = Face((20, 300, 80, 370), 0.9), Face((280, 240, 320, 290), 0.9)
    monkeypatch.setattr(anonymize, "find_faces", lambda image: [beside, on_top])
    hidden = hide_face(person)
    assert (hidden[310:360, 30:70] != person.image[310:360, 30:70]).any()
    assert np.array_equal(hidden[240:290, 280:320], person.image[240:290, 280:320])


@needs_network
def test_faces_of_real_people_are_found_and_hidden() -> None:
    image = open_picture(next(iter(samples.people().values()))).image
    image = cv2.resize(image, None, fx=900 / image.shape[0], fy=900 / image.shape[0], interpolation=cv2.INTER_AREA)
    first = find_faces(image)[0]
    assert first.score > 0.8
    x0, y0, x1, y1 = (round(edge) for edge in first.box)
    hidden = hide_faces(image)[y0:y1, x0:x1]
    assert (hidden != image[y0:y1, x0:x1]).any(axis=2).mean() > 0.95
    assert len(np.unique(hidden.reshape(-1, 3), axis=0)) < 0.05 * hidden.shape[0] * hidden.shape[1]
    assert find_faces(np.full((300, 200, 3), 128, np.uint8)) == []
