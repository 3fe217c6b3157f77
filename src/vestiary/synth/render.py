"""The pictures of an item and their ground truth, from a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.synth.grounds import paint_ground
from vestiary.synth.light import develop
from vestiary.synth.paint import Canvas, paint
from vestiary.synth.scene import Scene, surfaces, wardrobe

if TYPE_CHECKING:
    from vestiary.synth.flat import Flat
    from vestiary.types import Mask, Picture

Array = NDArray[np.float32]
SAMPLES = 2  # per pixel, across and down
TORN = 12.0  # pixels of the flat picture: samples further apart than this lie on two pieces of cloth


@dataclass(frozen=True, eq=False)
class View:
    """The person in one of the two garments.

    Attributes:
        image: `(H, W, 3) uint8` sRGB.
        parts: `(H, W) uint8` of `Part` values; silhouette: `(H, W) uint8` soft mask.
        depth: `(H, W) uint16` millimetres from the camera's plane, 0 = no person.
        place: `(H, W, 2) float32` x, y in the flat picture; panel: `(H, W) uint8`: 0 = not this garment, 1 = its
            front, 2 = its back or inside.
        albedo: `(H, W, 3) float32` linear colour of the cloth without light, 0 elsewhere.
        flat: the garment.
    """

    image: Picture
    parts: Mask
    silhouette: Mask
    depth: NDArray[np.uint16]
    place: Array
    panel: Mask
    albedo: Array
    flat: Flat


def render(scene: Scene) -> tuple[View, View]:
    """The person in A and in B; the ground with the person's shadow is the same in both."""
    camera = scene.camera.times(SAMPLES)
    bodies = surfaces(scene)
    ground: Array | None = None
    views = []
    for which in (0, 1):
        canvas, casters = paint(bodies, wardrobe(scene, which), camera, scene.lamps, scene.floor, scene.turn)
        if ground is None:
            small = paint_ground(scene.ground, scene.camera, scene.lamps, scene.floor, casters)
            ground = np.asarray(cv2.resize(small, camera.size, interpolation=cv2.INTER_LINEAR), np.float32)
        views.append(_view(scene, canvas, ground, scene.garments[which]))
    return views[0], views[1]


def _view(scene: Scene, canvas: Canvas, ground: Array, flat: Flat) -> View:
    seen = np.isfinite(canvas.near)
    picture = np.where(seen[..., None], canvas.colour, ground)
    grain = np.random.default_rng([scene.seed, scene.number, 7])
    image = develop(picture, grain, samples=SAMPLES, exposure=scene.exposure, grain=0.008)
    cover = _samples(seen).mean(0)
    panel, place, albedo = _reduced(canvas)
    near = _samples(np.where(seen, canvas.near, np.inf)).min(0)
    parts = np.where(cover >= 0.5, _commonest(_samples(canvas.part)), 0).astype(np.uint8)
    depth = np.where((cover >= 0.5) & (parts > 0), np.round(np.where(np.isfinite(near), near, 0) * 1000), 0)
    return View(
        image, parts, np.round(cover * 255).astype(np.uint8), depth.astype(np.uint16), place, panel, albedo, flat
    )  # fmt: skip


def _samples(values: NDArray[Any]) -> NDArray[Any]:
    """`(S, H, W, …)` the samples of each pixel."""
    return np.stack([values[j::SAMPLES, i::SAMPLES] for j in range(SAMPLES) for i in range(SAMPLES)])


def _commonest(labels: NDArray[Any]) -> NDArray[Any]:
    """The most frequent of each pixel's samples; of equally frequent ones the one that is no background."""
    best: NDArray[Any] = labels[0]
    most = np.zeros(labels.shape[1:], np.int32)
    for one in labels:
        count = (labels == one).sum(0) * 2 + (one != 0)
        best, most = np.where(count > most, one, best), np.maximum(count, most)
    return best


def _reduced(canvas: Canvas) -> tuple[Mask, Array, Array]:
    """Panel, place and albedo of the pixels that show the garment in at least half of their samples."""
    panels, places, tones = _samples(canvas.panel), _samples(canvas.place), _samples(canvas.albedo)
    panel = _commonest(panels)
    same = (panels == panel) & (panel > 0)
    kept = same.sum(0) * 2 >= len(panels)
    first = np.take_along_axis(places, same.argmax(0)[None, ..., None], 0)
    same &= np.abs(places - first).max(-1) < TORN  # a sleeve in front of the trunk: two pieces in one pixel
    weight = (same & kept)[..., None].astype(np.float32)
    total = np.maximum(weight.sum(0), 1)
    place, albedo = (places * weight).sum(0) / total, (tones * weight).sum(0) / total
    return np.where(kept, panel, 0).astype(np.uint8), place.astype(np.float32), albedo.astype(np.float32)
