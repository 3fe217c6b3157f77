"""Renders the sample people of `vestiary.samples` from the `anny` body (MakeHuman data, CC0).

    ANNY_CACHE_DIR=cache python tools/samples/people.py [--out DIR] [--only NAME] [--quick]

Needs anny (with PyTorch), numba, NumPy, OpenCV and Pillow; the first body takes minutes. The same seed gives the same
pictures.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import cv2
import numpy as np
import wardrobe as w
from body import Array, load_body, ripples
from PIL import Image
from render import Camera, Look, Mesh, develop, environment, render
from sitters import SITTERS, Sitter, standing

OUT = Path(__file__).parents[2] / "src" / "vestiary" / "samples"
CACHE = Path(os.environ.get("ANNY_CACHE_DIR", Path.home() / ".cache" / "anny"))


def sweep(sitter: Sitter, floor: float) -> Mesh:
    """A paper sweep: floor, bend and wall."""
    depth, half, high, bend = 2.2, 6.0, 7.0, 1.6
    t = np.linspace(0, np.pi / 2, 24)
    y = np.concatenate([np.linspace(-4.5, depth, 24), depth + bend * np.sin(t), np.full(12, depth + bend)])
    z = np.concatenate([np.zeros(24), bend * (1 - np.cos(t)), np.linspace(bend, high, 12)])
    x = np.linspace(-half, half, 25)
    grid = np.stack(np.broadcast_arrays(x[None], y[:, None], z[:, None] + floor), -1).reshape(-1, 3).astype(np.float32)
    index = np.arange(len(y) * 25).reshape(len(y), 25)
    quads = (
        np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1).reshape(-1, 4).astype(np.int32)
    )
    tone = w.linear(sitter.paper)

    def material(at: Array, extra: Array, normal: Array) -> Look:
        rng = np.random.default_rng(sitter.seed)
        return Look(tone * (1 + 0.012 * ripples(at, rng, (1.4, 1.4, 1.4), waves=6))[:, None])

    return Mesh(
        grid,
        grid,
        w.triangles(quads),
        material,
        np.zeros((len(grid), 1), np.float32),
        np.ones(len(grid), np.float32),
        casts=False,
        scatter=(0.012, 0.012, 0.012),
    )


def garden(size: tuple[int, int], rng: np.random.Generator, horizon: float) -> Array:
    """A far, blurred park: lawn below, trees with spots of light, bright sky."""
    width, height = size
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    sky, leaf, lawn = np.float32([0.75, 0.82, 0.88]), np.float32([0.16, 0.24, 0.10]), np.float32([0.24, 0.30, 0.13])
    far = np.broadcast_to(
        sky + (leaf * 1.5 - sky) * w.ramp(y, 0.02, horizon * 0.75)[..., None], (height, width, 3)
    ).copy()
    for _ in range(150):
        at, radius = (
            (int(rng.uniform(0, width)), int(rng.uniform(0, horizon * 0.97) * height)),
            int(rng.uniform(0.02, 0.07) * width),
        )
        tone = leaf * rng.uniform(0.4, 2.4) * np.float32([rng.uniform(0.8, 1.3), 1, rng.uniform(0.6, 1.1)])
        if rng.uniform() < 0.22:
            tone = np.float32([0.85, 0.85, 0.62]) * rng.uniform(0.7, 1.3)
        spot = np.zeros((height, width), np.float32)
        cv2.circle(spot, at, radius, 1.0, -1, cv2.LINE_AA)
        far += (tone - far) * (0.38 * cv2.GaussianBlur(spot, (0, 0), 3))[..., None]
    far = cv2.GaussianBlur(far, (0, 0), width * 0.012)
    path = np.float32([0.46, 0.43, 0.38]) * (0.86 + 0.22 * w.ramp(y, horizon, 1.0))[..., None]
    ground = lawn + (path - lawn) * w.ramp(y, horizon + 0.012, horizon + 0.06)[..., None]
    low = w.ramp(y, horizon - 0.006, horizon + 0.006)[..., None]
    return far * (1 - low) + ground * low


def photograph(name: str, sitter: Sitter, *, quick: bool) -> np.ndarray:
    """The finished picture of one person."""
    rng = np.random.default_rng(sitter.seed)
    body = load_body(sitter.shape, CACHE)
    posed, moves = body.pose({"root": (0.0, 0.0, sitter.turn), **standing(), **sitter.pose})
    low = float(posed[body.quads["helper-tights"]][..., 2].min()) - 0.012
    clothes = sitter.dress(body, posed, moves)

    def covered(rest: Array, arm: Array) -> Array:
        return np.max([c.covers(rest, arm) for c in clothes if c.covers is not None], axis=0)

    meshes = [w.skin(body, posed, sitter.face, sitter.seed, covered), *w.eyes(body, posed, sitter.face), *clothes]
    meshes.append(sweep(sitter, low))
    top, bottom = sitter.frame
    head = float(posed[body.quads["body"]][..., 2].max())
    high = (head - low) * (top - bottom)
    distance, middle = 5.2, low + (head - low) * (top + bottom) / 2
    camera = Camera((0.0, -distance, middle + (0.15 if bottom < 0.1 else 0.05)), distance / high, middle)
    samples, count = (1, 14) if quick else (2, 44)
    warm, cool = ((3.4, 3.1, 2.7), (0.72, 0.78, 0.88)) if sitter.outdoors else ((2.5, 2.4, 2.3), (0.80, 0.80, 0.82))

    def sky(way: Array) -> Array:
        side = 1 + 0.35 * way[0]
        return np.float32(cool) * (0.55 + 0.75 * max(way[2], -0.2)) * side * 2.0

    lights = environment(rng, ((-0.62, -0.95, 0.75), 0.24 if not sitter.outdoors else 0.12, warm), sky, count)
    picture, which = render(meshes, camera, lights, sitter.size, samples=samples)
    if sitter.outdoors:
        picture = _outdoors(picture, which == len(meshes) - 1, sitter, rng, camera, low, samples)
    return develop(picture, rng, samples=samples, exposure=0.62)


def _outdoors(
    picture: Array,
    ground: np.ndarray,
    sitter: Sitter,
    rng: np.random.Generator,
    camera: Camera,
    low: float,
    samples: int,
) -> Array:
    """The paper replaced by a blurred park that keeps the shadow which fell on the paper."""
    height, width = ground.shape
    far = camera.project(np.float32([[0, 30, low]]), sitter.size[0], sitter.size[1])[0, 1] / sitter.size[1]
    scene = garden((width, height), rng, float(np.clip(far, 0.25, 0.9))) * 1.5
    light = picture.mean(2) * ground
    usual = float(np.quantile(light[ground], 0.7))
    shade = np.where(ground, np.clip(light / usual, 0, 1), 1)
    below = w.ramp(np.linspace(0, 1, height, dtype=np.float32)[:, None], far, far + 0.1)
    scene = scene * (1 - below * (1 - shade))[..., None]
    return np.where(ground[..., None], scene, picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only", action="append", help="name of one person; may be repeated")
    parser.add_argument("--quick", action="store_true", help="few lights, no supersampling")
    given = parser.parse_args()
    for name in given.only or SITTERS:
        picture = photograph(name, SITTERS[name], quick=given.quick)
        Image.fromarray(picture).save(given.out / f"{name}.jpg", quality=91, subsampling=0)


if __name__ == "__main__":
    main()
