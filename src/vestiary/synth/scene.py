"""One item: a person, two garments, a camera and light, drawn at random; and its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vestiary.synth.anatomy import Anatomy, measure
from vestiary.synth.body import PARAMETERS, Body, Posed, about, make_body, pose_body
from vestiary.synth.cut import Cut, draw_cut
from vestiary.synth.drape import Cloth, dress
from vestiary.synth.fabrics import COLOURS, draw_fabric, draw_print
from vestiary.synth.flat import Flat, draw_flat
from vestiary.synth.flesh import eyes, shoes, skin
from vestiary.synth.grounds import Ground, draw_ground
from vestiary.synth.hair import hair
from vestiary.synth.light import Lamps
from vestiary.synth.looks import Face, Surface, draw_face, turned
from vestiary.synth.paint import OF_CATEGORY, Garb
from vestiary.synth.poses import Pose, draw_pose
from vestiary.synth.raster import Camera
from vestiary.synth.wear import hang
from vestiary.types import UPPER, Category, Sleeve

if TYPE_CHECKING:
    from collections.abc import Sequence

LIGHTS: dict[str, tuple[tuple[float, float, float], float, tuple[float, float, float], float, float]] = {
    # direction, angular radius, colour, power of the sky, power from the floor
    "softbox": ((-0.62, -0.95, 0.75), 0.26, (1.55, 1.50, 1.44), 0.62, 0.40),
    "front": ((-0.15, -1.0, 0.45), 0.34, (1.25, 1.23, 1.20), 0.62, 0.42),
    "window": ((-1.0, -0.45, 0.35), 0.40, (1.60, 1.62, 1.66), 0.42, 0.30),
    "overcast": ((-0.2, -0.5, 1.0), 0.60, (0.70, 0.72, 0.76), 0.95, 0.42),
    "sun": ((-0.55, -0.70, 0.90), 0.11, (2.30, 2.12, 1.85), 0.52, 0.36),
}
LOOSE: tuple[Category, ...] = ("top", "outerwear", "dress", "skirt", "trousers", "shorts")


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything of an item that A and B share, and the two garments.

    `turn` is the person's turn about the vertical, `floor` the height of the soles; `others` are what is worn besides,
    for A and for B.
    """

    number: int
    seed: int
    body: Body
    anatomy: Anatomy
    pose: Pose
    posed: Posed
    face: Face
    camera: Camera
    frame: str
    lamps: Lamps
    light: str
    ground: Ground
    turn: NDArray[np.float64]
    floor: float
    garments: tuple[Flat, Flat]
    others: tuple[Flat, ...]
    tucked: bool
    exposure: float


def draw_scene(seed: int, number: int, size: tuple[int, int]) -> Scene:
    """Item `number` of a data set with that seed, for pictures of that size (width, height)."""
    rng = np.random.default_rng([seed, number])
    parameters = _person(rng)
    body = make_body(parameters)
    anatomy = measure(body)
    lower_target = rng.random() < 0.34
    garments, others = _clothes(rng, anatomy, lower_target, size)
    pose = draw_pose(rng, max(_room(flat.cut, anatomy) for flat in (*garments, *others)))
    posed = pose_body(body, pose.turns)
    face = draw_face(rng, parameters)
    turn = about(np.array([0.0, 0.0, 1.0]), np.radians(pose.turn))
    floor = float(posed.points[np.unique(body.basis.faces["body"])][:, 2].min()) - 0.014
    frame = "full" if lower_target or rng.random() < 0.6 else "half"
    camera = _camera(rng, body, posed, floor, frame, size)
    light = str(rng.choice(list(LIGHTS), p=[0.34, 0.2, 0.16, 0.16, 0.14]))
    ground = draw_ground(rng)
    lamps = _lamps(rng, light)
    skirt = any(one.cut.category == "skirt" for one in (*garments, *others))
    tucked = bool(rng.random() < (0.55 if lower_target else 0.2)) or skirt  # a top's hem does not lie on a wide skirt
    return Scene(
        number, seed, body, anatomy, pose, posed, face, camera, frame, lamps, light, ground, turn, floor, garments,
        others, tucked, float(rng.uniform(0.60, 0.72)),
    )  # fmt: skip


def _person(rng: np.random.Generator) -> dict[str, float]:
    gender = float(np.clip(round(rng.random()) + rng.normal(0, 0.08), 0, 1))
    parameters = {name: float(rng.uniform(low, high)) for name, (low, high) in PARAMETERS.items()}
    origin = rng.dirichlet((0.35, 0.35, 0.45))
    muscle = float(np.clip(rng.normal(0.52, 0.12), 0.25, 0.8))
    weight = float(np.clip(rng.normal(0.48, 0.14), 0.25, 0.88))
    height = float(np.clip(rng.normal(0.40, 0.08), 0.22, 0.6))
    age = float(np.clip(0.62 + rng.gamma(1.5, 0.05), 0.62, 0.90))
    return {
        **parameters, "gender": gender, "muscle": muscle, "weight": weight, "height": height, "age": age,
        "proportions": float(rng.uniform(0.65, 0.95)), "african": float(origin[0]), "asian": float(origin[1]),
    }  # fmt: skip


def _room(cut: Cut, anatomy: Anatomy) -> float:
    """How far arms must lean out, as a slope, so that the hands hang beside the cloth and not in it."""
    fall = float(hang(cut, anatomy).fall(anatomy.crotch + 0.02))
    if fall > float(cut.mark("HEM_LEFT")[1]) + 6:
        return 0.0
    half = 1.22 * 4 * float(cut.half(fall)) / 100 / (2 * np.pi)
    limb = anatomy.arms["L"]
    return (half + 0.05 - float(limb.joints[0, 0])) / limb.long


def _camera(
    rng: np.random.Generator, body: Body, posed: Posed, floor: float, frame: str, size: tuple[int, int]
) -> Camera:
    top = float(posed.points[np.unique(body.basis.faces["body"])][:, 2].max()) + 0.03
    tall = top - floor
    high = top + tall * float(rng.uniform(0.03, 0.09))
    low = (
        floor - tall * float(rng.uniform(0.03, 0.07))
        if frame == "full"
        else floor + tall * float(rng.uniform(0.30, 0.44))
    )
    distance = float(rng.uniform(3.4, 5.2)) if frame == "full" else float(rng.uniform(2.2, 3.4))
    eye = floor + tall * float(rng.uniform(0.62, 0.88))
    span = max(high - low, 1.12 * size[1] / size[0])  # elbows need room in narrow pictures
    low = high - span
    focal = size[1] * distance / span
    x = size[0] / 2 + size[0] * float(rng.normal(0, 0.02))
    return Camera((0.0, -distance, eye), focal, (x, (high - eye) * focal / distance), size)


def _lamps(rng: np.random.Generator, kind: str) -> Lamps:
    way, radius, power, sky, ground = LIGHTS[kind]
    flip = float(rng.choice([-1, 1]))
    key = (way[0] * flip * float(rng.uniform(0.8, 1.2)), way[1], way[2] * float(rng.uniform(0.85, 1.2)))
    warmth = float(rng.normal(0, 0.035))
    cast = np.array([1 + warmth, 1.0, 1 - warmth])
    return Lamps(
        key, radius, _three(np.array(power) * cast), _tinted(cast * sky), _tinted(cast * ground),
        float(rng.uniform(-0.25, 0.25)),
    )  # fmt: skip


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def _tinted(level: NDArray[np.float64]) -> tuple[float, float, float]:
    """Light of the sky, a little blue."""
    return _three(np.array([0.98, 1.0, 1.03]) * level)


def _clothes(
    rng: np.random.Generator, anatomy: Anatomy, lower: bool, size: tuple[int, int]
) -> tuple[tuple[Flat, Flat], tuple[Flat, ...]]:
    """Garments A and B of one group, and the other one that goes with both."""
    kinds: Sequence[Category] = ("trousers", "skirt", "shorts") if lower else ("top", "outerwear", "dress")
    chances = (0.45, 0.33, 0.22) if lower else (0.60, 0.20, 0.20)
    chosen = [kinds[int(rng.choice(3, p=chances))] for _ in range(2)]
    one, two = (_garment(rng, category, anatomy, size) for category in chosen)
    below: Sequence[Category] = ("trousers", "trousers", "shorts", "trousers" if "outerwear" in chosen else "skirt")
    rest: Category = "top" if lower else below[int(rng.integers(4))]
    small = (max(96, size[0] // 2), max(128, size[1] // 2))
    return (one, two), (_garment(rng, rest, anatomy, small, quiet=True),)


def _garment(
    rng: np.random.Generator, category: Category, anatomy: Anatomy, size: tuple[int, int], *, quiet: bool = False
) -> Flat:
    sleeve: Sleeve | None = None
    if category in UPPER:
        chances = {
            "top": (0.14, 0.44, 0.10, 0.32),
            "outerwear": (0.02, 0.02, 0.04, 0.92),
            "dress": (0.36, 0.34, 0.1, 0.2),
        }
        sleeve = ("none", "short", "half", "long")[int(rng.choice(4, p=chances[category]))]
    cut = draw_cut(rng, category, anatomy.girths, sleeve=sleeve)
    while quiet and category in UPPER and cut.mark("HEM_LEFT")[1] > hang(cut, anatomy).fall(anatomy.crotch + 0.06):
        cut = draw_cut(rng, category, anatomy.girths, sleeve=sleeve)  # must not hide the garment that counts
    pattern = None
    if quiet:
        pattern = "denim" if category in ("trousers", "shorts") and rng.random() < 0.5 else "plain"
    fabric = draw_fabric(rng, pattern=pattern)
    plain_front = cut.pattern.attributes.get("opening", "none") == "none"
    printed = not quiet and plain_front and fabric.pattern in ("plain", "melange")
    wanted = printed and rng.random() < (0.75 if category in ("top", "dress") else 0.2)
    motif = draw_print(rng, fabric.colour) if wanted else None
    return draw_flat(np.random.default_rng(int(rng.integers(1 << 62))), cut, fabric, motif, size)


def surfaces(scene: Scene) -> list[Surface]:
    """The person without clothes, but with shoes."""
    rng = np.random.default_rng([scene.seed, scene.number, 3])
    names = list(COLOURS)
    upper = COLOURS["white" if rng.random() < 0.4 else names[int(rng.integers(len(names)))]]
    sole = COLOURS["white"] if rng.random() < 0.6 else (0.12, 0.11, 0.10)
    every = [
        skin(scene.posed, scene.face), *eyes(scene.posed, scene.face), *hair(scene.posed, scene.face),
        shoes(scene.posed, upper, sole, float(rng.uniform(-0.012, 0.012))),
    ]  # fmt: skip
    return [turned(surface, scene.turn) for surface in every]


def wardrobe(scene: Scene, which: int) -> list[Garb]:
    """What is worn in A (`which` 0) or B (1), in the order of painting."""
    flat = scene.garments[which]
    worn = [flat] if flat.cut.category == "dress" else [flat, *scene.others]
    worn.sort(key=lambda one: one.cut.category in UPPER)  # lower garments first, unless the top is tucked in
    limit = None
    if scene.tucked and flat.cut.category != "outerwear" and len(worn) > 1:
        limit = hang(worn[0].cut, scene.anatomy).top - 0.09
        worn.reverse()
    garbs: list[Garb] = []
    beneath: list[Cloth] = []
    for number, one in enumerate(worn):
        below = tuple(OF_CATEGORY[other.cut.category] for other in worn[:number])
        seed = scene.number * 10 + (which if one is flat else 5)
        cloths = dress(
            one, scene.posed, scene.anatomy, scene.pose, seed + 1, beneath, tucked=limit if number == 0 else None
        )
        beneath += cloths[:1]  # without sleeves
        garbs.append(Garb(cloths, one is flat, below))
    return garbs
