"""Draws the sample garments of `vestiary.samples` as product photos, with their exact landmarks and outlines.

    python tools/samples/garments.py [--out DIR] [--only NAME]

Needs NumPy, OpenCV and Pillow. The same seed gives the same pictures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from cloth import SCALE, Array, Cloth, curve, finish, lettering, noise, on_ground
from details import collar, hood, pocket, shirt_front, shorts, skirt, trousers, zip_front
from pattern import SIZE, C, Cut, Drawn, P, back_neck, hang, hem, neck_band, sleeves
from PIL import Image
from textures import bedsheet, check, denim, floral, knit, placed, plain, stripes, studio, wooden_floor

MARGIN = 160
OUT = Path(__file__).parents[2] / "src" / "vestiary" / "samples"


def tee(seed: int, colour, print_ink, image: Array, place: P, width: float, cut: Cut | None = None) -> Drawn:
    cloth = Cloth(SIZE, seed)
    cut = cut or Cut(
        (90, 172), 256, (230, 220), (256, 446), (250, 660), (258, 904), cuff_outer=(404, 392), cuff_inner=(302, 492)
    )
    body = plain(colour)
    stitch = np.clip(np.float32(colour) * 0.82, 0, 1)
    back_neck(cloth, cut, body, "VESTIARY")
    sleeves(cloth, cut, body, cuff=26, stitch=stitch)
    hang(cloth, cut)
    cloth.panel(cut.torso(), placed(body, image, place, width, print_ink), shadow=0.12, thickness=3)
    for side in (-1, 1):
        cloth.seam(cut.armhole(side), strength=0.2)
    hem(cloth, cut, 24, stitch)
    neck_band(cloth, cut, body, 22)
    return Drawn(cloth, "top", cut.landmarks(), "short", "round")


def brand() -> Array:
    """A hanger in a ring over the name."""
    picture = np.zeros((460, 700), np.float32)
    cv2.circle(picture, (350, 150), 138, 1, 12, cv2.LINE_AA)
    bar = curve([(225, 208), (350, 120), (475, 208)]).astype(np.int32)
    cv2.polylines(picture, [bar[[0, 24, -1]]], False, 1, 13, cv2.LINE_AA)
    cv2.line(picture, (225, 208), (475, 208), 1, 13, cv2.LINE_AA)
    hook = curve([(350, 122), (352, 98), (378, 84), (372, 54), (342, 50), (328, 66)]).astype(np.int32)
    cv2.polylines(picture, [hook], False, 1, 12, cv2.LINE_AA)
    name = lettering("VESTIARY", 132, 3)
    name = cv2.resize(name, (690, int(name.shape[0] * 690 / name.shape[1])), interpolation=cv2.INTER_AREA)
    picture[330 : 330 + name.shape[0], 5:695] = name[:130]
    return picture


def sunrise() -> Array:
    """Rings of a setting sun over waves."""
    picture = np.zeros((500, 500), np.float32)
    cv2.circle(picture, (250, 215), 190, 1, -1, cv2.LINE_AA)
    for k, y in enumerate((190, 235, 280, 325, 370)):
        cv2.rectangle(picture, (0, y), (500, y + 6 + 5 * k), 0, -1)
    x = np.arange(20, 480)
    for k in range(3):
        wave = np.stack([x, 440 + 24 * k + 8 * np.sin(x / 26 + k)], 1).astype(np.int32)
        cv2.polylines(picture, [wave], False, 1, 8, cv2.LINE_AA)
    return picture


def tee_white() -> Drawn:
    return tee(11, (0.955, 0.957, 0.96), (0.10, 0.13, 0.27), brand(), (C - 160, 370), 320)


def tee_sunrise() -> Drawn:
    cut = Cut(
        (88, 182), 248, (232, 236), (250, 452), (248, 650), (254, 872), cuff_outer=(384, 424), cuff_inner=(300, 512)
    )
    return tee(18, (0.10, 0.33, 0.36), (0.98, 0.76, 0.36), sunrise(), (C - 135, 330), 270, cut)


def longsleeve_striped() -> Drawn:
    cloth = Cloth(SIZE, 12)
    cut = Cut(
        (106, 202),
        256,
        (206, 242),
        (222, 450),
        (208, 640),
        (220, 842),
        back=14,
        cuff_outer=(414, 752),
        cuff_inner=(336, 784),
        bow=22,
    )
    body = stripes((0.94, 0.925, 0.88), (0.13, 0.17, 0.30), 44, 0.40, 24)
    edge = plain((0.94, 0.925, 0.88))
    back_neck(cloth, cut, body, "M")
    sleeves(cloth, cut, body, cuff=34, rib=edge)
    hang(cloth, cut)
    cloth.panel(cut.torso(), body, shadow=0.12, thickness=3)
    for side in (-1, 1):
        cloth.seam(cut.armhole(side), strength=0.22)
    hem(cloth, cut, 18, (0.8, 0.78, 0.72))
    neck_band(cloth, cut, edge, 15)
    return Drawn(cloth, "top", cut.landmarks(), "long", "round")


def top_vneck() -> Drawn:
    cloth = Cloth(SIZE, 13)
    cut = Cut((106, 182), 372, (168, 198), (222, 436), (206, 640), (250, 872), dip=16, v=True)
    body = plain((0.05, 0.44, 0.36), weave=0.02)
    back_neck(cloth, cut, body, "S")
    hang(cloth, cut, 1.3)
    cloth.panel(cut.torso(), body, fold=1.5, thickness=3)
    for edge in (cut.armhole(), cut.armhole(-1), cut.neckline(2)):
        cloth.seam(edge + np.float32([0, 7]) * 0, strength=0.1)
    for side in (-1, 1):
        cloth.seam(cut.armhole(side) - np.float32([side * 9, 0]), strength=0.2, stitch=(0.04, 0.34, 0.28), off=0)
    cloth.seam(cut.neckline(10), strength=0.2, stitch=(0.04, 0.34, 0.28), off=0)
    hem(cloth, cut, 16, (0.04, 0.34, 0.28))
    return Drawn(cloth, "top", cut.landmarks(), "none", "v")


def shirt_checked() -> Drawn:
    cloth = Cloth(SIZE, 14)
    cut = Cut(
        (80, 172),
        236,
        (220, 220),
        (250, 446),
        (242, 660),
        (250, 884),
        dip=34,
        back=20,
        cuff_outer=(420, 778),
        cuff_inner=(330, 810),
        bow=22,
    )
    body = check((0.86, 0.83, 0.78), (0.55, 0.16, 0.17), (0.14, 0.18, 0.32), 74)
    cloth.panel(np.concatenate([cut.backline(), cut.neckline(10)[::-1]]), body, fold=0.3, dim=0.7, shadow=0)
    sleeves(cloth, cut, body, cuff=52, stitch=(0.8, 0.7, 0.66), strength=1.1)
    hang(cloth, cut, 1.1)
    cloth.panel(cut.torso(), body, shadow=0.12, thickness=3)
    for side in (-1, 1):
        cloth.seam(cut.armhole(side), strength=0.22, stitch=(0.8, 0.7, 0.66))
    hem(cloth, cut, 12, (0.8, 0.7, 0.66))
    pocket(cloth, body, (C + 70, 400), (116, 130))
    shirt_front(cloth, cut, body)
    collar(cloth, cut, body)
    return Drawn(cloth, "top", cut.landmarks(), "long", "collar")


def jacket_hooded() -> Drawn:
    cloth = Cloth(SIZE, 15)
    cut = Cut(
        (98, 284),
        356,
        (226, 330),
        (252, 556),
        (246, 750),
        (240, 930),
        dip=2,
        cuff_outer=(416, 866),
        cuff_inner=(326, 898),
        bow=26,
    )
    body = plain((0.36, 0.40, 0.27), weave=0.03)
    rib = plain((0.30, 0.34, 0.22), weave=0.02)
    hood(cloth, cut, body)
    sleeves(cloth, cut, body, cuff=46, rib=rib, strength=1.5)
    hang(cloth, cut, 1.5)
    cloth.panel(cut.torso(), body, shadow=0.15, thickness=6, edge=16, fold=1.2)
    for side in (-1, 1):
        cloth.seam(cut.armhole(side), strength=0.3, stitch=(0.42, 0.46, 0.32))
    zip_front(cloth, cut, body, rib)
    return Drawn(cloth, "outerwear", cut.landmarks(), "long", "hood")


def dress_floral() -> Drawn:
    cloth = Cloth(SIZE, 16)
    cut = Cut(
        (106, 92),
        172,
        (176, 116),
        (184, 284),
        (152, 432),
        (336, 1012),
        dip=30,
        back=16,
        cuff_outer=(284, 258),
        cuff_inner=(214, 318),
        bow=5,
    )
    cut.names = {f"HIP_{s}": (C + k * 213, 620.0) for s, k in (("LEFT", 1), ("RIGHT", -1))}
    body = floral((0.93, 0.88, 0.80), seed=4)
    back_neck(cloth, cut, body, "38")
    sleeves(cloth, cut, body, cuff=12, stitch=(0.8, 0.72, 0.62), strength=0.8)
    for x in (-0.72, -0.45, -0.2, 0.04, 0.3, 0.52, 0.76):
        sway = cloth.rng.uniform(-12, 12)
        cloth.crease([(C + 148 * x, 442), (C + 230 * x + sway, 720), (C + 330 * x, 1020)], 30, cloth.rng.uniform(9, 15))
    for side in (-1, 1):
        cloth.crease([(C + side * 178, 290), (C + side * 120, 322), (C + side * 72, 390)], 16, 3.5)
        cloth.crease([(C + side * 148, 426), (C + side * 104, 396), (C + side * 74, 350)], 16, 3.5)
    cloth.panel(cut.torso(), body, shadow=0.12, thickness=3)
    for side in (-1, 1):
        cloth.seam(cut.armhole(side), strength=0.18)
    waist = curve([(C - 151, 430), (C, 442), (C + 151, 430)])
    cloth.seam(waist, strength=0.4)
    cloth.stroke(waist + np.float32([0, 5]), (0, 0, 0), width=5, opacity=0.12)
    hem(cloth, cut, 14, (0.8, 0.72, 0.62))
    neck_band(cloth, cut, body, 9)
    return Drawn(cloth, "dress", cut.landmarks(), "short", "round")


def skirt_pleated() -> Drawn:
    return Drawn(*skirt(Cloth(SIZE, 17), C))


def jeans_blue() -> Drawn:
    return Drawn(*trousers(Cloth(SIZE, 19), C, denim(), denim=True))


def shorts_sand() -> Drawn:
    return Drawn(*shorts(Cloth(SIZE, 20), C, plain((0.78, 0.68, 0.53), weave=0.03)))


def sweater_phone() -> Drawn:
    cloth = Cloth(SIZE, 21)
    cut = Cut(
        (98, 202),
        262,
        (220, 250),
        (246, 462),
        (242, 650),
        (226, 836),
        dip=4,
        cuff_outer=(408, 762),
        cuff_inner=(322, 794),
        bow=28,
    )
    body, rib = knit((0.66, 0.27, 0.16)), plain((0.60, 0.24, 0.14), weave=0.02)
    back_neck(cloth, cut, body, "L")
    sleeves(cloth, cut, body, cuff=58, rib=rib, strength=1.4)
    hang(cloth, cut, 1.4)
    cloth.panel(cut.torso(), body, shadow=0.15, thickness=5, edge=12)
    for side in (-1, 1):
        cloth.seam(cut.armhole(side), strength=0.25)
    hx, hy = cut.hem
    top, low = (curve([(C - hx, y), (C, y + 4), (C + hx, y)]) for y in (hy - 54, hy + 1))
    cloth.panel(np.concatenate([top, low[::-1]]), rib, fold=0.2, thickness=4, edge=9, shadow=0.2)
    cloth.ribs(top, low, spacing=5)
    neck_band(cloth, cut, rib, 28)
    return Drawn(cloth, "top", cut.landmarks(), "long", "round")


SHOTS: dict[str, tuple[Callable[[], Drawn], Callable[[np.random.Generator, tuple[int, int]], Array], float]] = {
    "tee_white.jpg": (tee_white, studio((0.955, 0.952, 0.945)), 0.008),
    "longsleeve_striped.jpg": (longsleeve_striped, studio((0.86, 0.865, 0.87)), -0.01),
    "top_vneck.png": (top_vneck, None, 0.0),
    "shirt_checked.jpg": (shirt_checked, studio((0.93, 0.925, 0.91)), 0.012),
    "jacket_hooded.jpg": (jacket_hooded, studio((0.88, 0.87, 0.85)), 0.0),
    "dress_floral.jpg": (dress_floral, studio((0.80, 0.84, 0.86)), 0.0),
    "skirt_pleated.jpg": (skirt_pleated, studio((0.92, 0.92, 0.925)), -0.01),
    "jeans_blue.jpg": (jeans_blue, studio((0.945, 0.94, 0.93)), 0.006),
    "shorts_sand.jpg": (shorts_sand, studio((0.80, 0.82, 0.80)), 0.0),
    "tee_floor_phone.jpg": (tee_sunrise, wooden_floor, 0.16),
    "sweater_bed_phone.jpg": (sweater_phone, bedsheet, -0.10),
}


def shoot(name: str) -> tuple[np.ndarray, dict]:
    """The picture of one sample and what is known of it."""
    draw, ground, turn = SHOTS[name]
    drawn = draw()
    cloth = drawn.cloth
    labels = list(drawn.landmarks)
    colour, alpha, points = cloth.settle(np.float32([drawn.landmarks[k] for k in labels]), turn=turn)
    if ground is None:
        picture = finish(np.dstack([colour, alpha]), cloth.rng, 0.0)
        mask = picture[..., 3].astype(np.float32) / 255
    else:
        around = MARGIN * SCALE if "phone" in name else 0
        colour, alpha = (np.pad(a, [(around, around)] * 2 + [(0, 0)] * (a.ndim - 2)) for a in (colour, alpha))
        full = on_ground(colour, alpha, ground(cloth.rng, alpha.shape))
        if around:
            full, alpha, points = as_phone_photo(full, alpha, points, cloth.rng)
        picture, mask = finish(full, cloth.rng), cv2.resize(alpha, cloth.size, interpolation=cv2.INTER_AREA)
    contour = max(cv2.findContours((mask > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
    contour = cv2.approxPolyDP(contour, 1.0, True)[:, 0]
    return picture, {
        "category": drawn.category,
        "sleeve": drawn.sleeve,
        "neckline": drawn.neckline,
        "size": [picture.shape[1], picture.shape[0]],
        "landmarks": {k: [round(float(x), 1), round(float(y), 1)] for k, (x, y) in zip(labels, points, strict=True)},
        "outline": contour.tolist(),
    }


def as_phone_photo(full: Array, alpha: Array, points: Array, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Seen from a hand: perspective, warm uneven light, vignette. The pictures come with MARGIN round them."""
    width, height = (SIZE[0] * SCALE, SIZE[1] * SCALE)
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    moved = corners.mean(0) + 0.93 * (corners - corners.mean(0))
    moved += np.float32([[0.015, 0.02], [-0.03, 0.0], [0.055, 0.04], [-0.04, 0.03]]) * width
    lens = cv2.getPerspectiveTransform(corners + MARGIN * SCALE, moved.astype(np.float32))
    full = cv2.warpPerspective(full, lens, (width, height), borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpPerspective(alpha, lens, (width, height))
    points = cv2.perspectiveTransform((points[None] + MARGIN) * SCALE, lens)[0] / SCALE
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    light = (
        0.92
        + 0.13 * (1 - x)
        - 0.10 * y
        - 0.22 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
        + 0.012 * noise(rng, alpha.shape, 500, 500, 0)
    )
    return full * light[..., None] * np.float32([1.02, 1.0, 0.955]), alpha, points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only", action="append", help="name of one sample; may be repeated")
    given = parser.parse_args()
    book = given.out / "garments.json"
    known = json.loads(book.read_text()) if book.exists() else {}
    for name in given.only or SHOTS:
        picture, known[name] = shoot(name)
        options = {"quality": 90, "subsampling": 0} if name.endswith(".jpg") else {"optimize": True}
        Image.fromarray(picture).save(given.out / name, **options)
    lines = [
        f" {json.dumps(name)}: {json.dumps(known[name], separators=(',', ':'))}" for name in SHOTS if name in known
    ]
    book.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
