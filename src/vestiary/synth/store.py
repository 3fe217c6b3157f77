"""Data sets on disk: items made, written whole, resumed; layout as docs/data/synthetic.md says."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import vestiary
from vestiary.errors import OptionError, OutputError
from vestiary.files import make_folder, write_file
from vestiary.synth.render import View, render
from vestiary.synth.scene import Scene, draw_scene
from vestiary.synth.truth import garment_words, person_words, pose
from vestiary.types import Joint, Landmark, Part

FORMAT = "vestiary-synth/1"
GENERATOR = 1  # raised whenever the same seed gives other pictures
SMALLEST, LARGEST = 96, 2047
QUALITY = 94


@dataclass(frozen=True)
class Order:
    """A data set: how many items, from which seed, pictures of which size (width, height)."""

    count: int
    seed: int
    size: tuple[int, int]

    @property
    def command(self) -> str:
        """The command that makes it, without its folder."""
        return f"vestiary synth --count {self.count} --seed {self.seed} --size {self.size[0]}x{self.size[1]}"


def parse_size(text: str) -> tuple[int, int]:
    """Width and height from "768x1024".

    Raises:
        OptionError: it is no size, or smaller or larger than is supported.
    """
    parts = text.lower().split("x")
    hint = f"Write it as WIDTHxHEIGHT, both from {SMALLEST} to {LARGEST}, for instance --size 768x1024."
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise OptionError(f"{text!r} is no size.", hint=hint)
    width, height = int(parts[0]), int(parts[1])
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise OptionError(f"a size of {width} x {height} is not supported.", hint=hint)
    if not 0.4 <= width / height <= 2.0:
        raise OptionError(
            f"{width} x {height} is too {'narrow' if width < height else 'wide'} for a person.", hint=hint
        )
    return width, height


def begin(order: Order, folder: Path, *, resume: bool = False, force: bool = False) -> list[int]:
    """Make the folder ready; the numbers of the items that are still to be made.

    Raises:
        OutputError: it cannot be made, or holds something and neither `resume` nor `force` is set.
        OptionError: `resume` and what is there was made with another seed or size, or by another generator.
    """
    make_folder(folder)
    present = any(folder.iterdir())
    if present and not (resume or force):
        hint = "Add --resume to go on with it, --force to make everything anew, or choose another folder."
        raise OutputError(f"{folder} is not empty.", hint=hint)
    if resume and (folder / "dataset.json").is_file():
        _check_same(order, folder)
    write_file(folder / "dataset.json", _dump(describe(order)).encode())
    every = range(order.count)
    return [n for n in every if force or not (folder / _name(n) / "item.json").is_file()]


def _check_same(order: Order, folder: Path) -> None:
    try:
        found = json.loads((folder / "dataset.json").read_text("utf-8"))
    except (OSError, ValueError):
        raise OutputError(
            f"{folder}/dataset.json cannot be read.", hint="Use --force to make everything anew."
        ) from None
    wanted = describe(order)
    for key in ("format", "generator", "seed", "size"):
        if found.get(key) != wanted[key]:
            hint = "Give the same --seed and --size, use --force to make everything anew, or choose another folder."
            raise OptionError(f"{folder} was made with {key} {found.get(key)}, not {wanted[key]}.", hint=hint)


def describe(order: Order) -> dict[str, Any]:
    """What `dataset.json` holds."""
    return {
        "format": FORMAT,
        "generator": GENERATOR,
        "vestiary": vestiary.__version__,
        "commit": _commit(),
        "command": order.command,
        "seed": order.seed,
        "count": order.count,
        "size": list(order.size),
        "scale": 32,
        "licence": "CC0-1.0",
        "source": "bodies: MakeHuman (CC0); everything else: formulas of this generator",
        "parts": {part.name.lower(): int(part) for part in Part},
        "joints": [joint.name.lower() for joint in Joint],
        "landmarks": [mark.name.lower() for mark in Landmark],
    }


def _commit() -> str | None:
    """The commit of the checkout that this package runs from; None for an installed package."""
    here = Path(__file__).parent
    if not (here.parents[2] / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def make_items(order: Order, folder: Path, numbers: list[int], *, workers: int = 1) -> Iterator[int]:
    """Make these items, in one process or several; gives each number when its files are there.

    Raises:
        OutputError: a file cannot be written, for instance because the disk is full.
    """
    if workers <= 1:
        for number in numbers:
            make_item(order, folder, number)
            yield number
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(make_item, order, folder, number) for number in numbers]
        try:
            for future, number in zip(waiting, numbers, strict=True):
                future.result()
                yield number
        finally:
            pool.shutdown(cancel_futures=True)


def make_item(order: Order, folder: Path, number: int) -> None:
    """Render one item and write its files; `item.json` comes last, so an item that has it is whole."""
    cv2.setNumThreads(1)
    scene = draw_scene(order.seed, number, order.size)
    views = render(scene)
    place = make_folder(folder / _name(number))
    contents: dict[str, bytes] = {}
    for letter, view in zip("ab", views, strict=True):
        contents |= _files(letter, view)
    for name, data in contents.items():
        write_file(place / name, data)
    write_file(place / "item.json", _dump(record(scene, views, contents)).encode())


def _name(number: int) -> str:
    return f"items/{number:06d}"


def _files(letter: str, view: View) -> dict[str, bytes]:
    """The pictures of one view, encoded."""
    at = np.round(view.place * 32).clip(0, 65535)
    flow = np.dstack([view.panel, at[..., 1], at[..., 0]]) * (view.panel > 0)[..., None]  # OpenCV writes B, G, R
    return {
        f"person_{letter}.jpg": _jpeg(view.image),
        f"parts_{letter}.png": _png(view.parts),
        f"silhouette_{letter}.png": _png(view.silhouette),
        f"depth_{letter}.png": _png(view.depth),
        f"flow_{letter}.png": _png(flow.astype(np.uint16)),
        f"garment_{letter}.jpg": _jpeg(view.flat.photo),
        f"mask_{letter}.png": _png(view.flat.mask),
    }


def _jpeg(image: Any) -> bytes:
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return bytes(cv2.imencode(".jpg", image[..., ::-1], options)[1])


def _png(image: Any) -> bytes:
    return bytes(cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 6])[1])


def record(scene: Scene, views: tuple[View, View], contents: dict[str, bytes]) -> dict[str, Any]:
    """The item's line of `pairs.jsonl`."""
    base = _name(scene.number)
    landmarks, world, keypoints = pose(scene)
    sides = {}
    for letter, view in zip("ab", views, strict=True):
        names = {"image": "person", "parts": "parts", "silhouette": "silhouette", "depth": "depth", "flow": "flow"}
        paths = {key: f"{base}/{name}_{letter}.{'jpg' if key == 'image' else 'png'}" for key, name in names.items()}
        paths |= {"flat": f"{base}/garment_{letter}.jpg", "mask": f"{base}/mask_{letter}.png"}
        sides[letter] = {**paths, "landmarks": _plain(view.flat.landmarks), **garment_words(view.flat, scene)}
    return {
        "id": f"{scene.number:06d}",
        "seed": [scene.seed, scene.number],
        "person": sides["a"]["image"],
        "garment": sides["b"]["flat"],
        "target": sides["b"]["image"],
        **sides,
        "keypoints": _plain(keypoints),
        "pose": _plain(landmarks),
        "world": _plain(world, 4),
        **person_words(scene),
        "digests": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(contents.items())},
    }


def _plain(values: Any, digits: int = 2) -> list[Any]:
    rounded: list[Any] = (np.round(values.astype(np.float64), digits) + 0.0).tolist()
    return rounded


def finish(order: Order, folder: Path) -> Path:
    """Write `pairs.jsonl` of all items, in order; where it is.

    Raises:
        OutputError: an item is missing or cannot be read.
    """
    lines = []
    for number in range(order.count):
        path = folder / _name(number) / "item.json"
        try:
            lines.append(json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False))
        except (OSError, ValueError):
            raise OutputError(
                f"{path} is missing or broken.", hint="Run the same command again with --resume."
            ) from None
    write_file(folder / "pairs.jsonl", ("\n".join(lines) + "\n").encode())
    return folder / "pairs.jsonl"


def _dump(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"
