"""How good a garment network is: `python -m vestiary.training.garment_score --garments DIR [--model garment.onnx]`.

Counted on held-out real photos (category, sleeve, which way is up) and on rendered garments (mask, landmarks).
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vestiary import inference
from vestiary.garment.network import GarmentLook, look
from vestiary.training.cloth import make_bank, read
from vestiary.training.garments import FOLDERS, list_photos
from vestiary.training.synthetic import Sample, random_category, render
from vestiary.types import UPPER, Landmark

log = logging.getLogger("vestiary.training.garment_score")


def best(scores: Any) -> str:
    """The name with the highest score."""
    return str(max(scores, key=scores.__getitem__))


def score_real(photos: list[Path]) -> dict[str, float]:
    """Shares of real photos whose category, sleeve and turn are found; and of empty corners taken for garments."""
    right, sleeves, turns, presence = [], [], [], []
    for index, path in enumerate(photos):
        photo = read(path)
        category, sleeve = FOLDERS[path.parent.name]
        seen = look(photo)
        right.append(best(seen.category_scores) == category)
        presence.append(seen.presence)
        if sleeve is not None:
            sleeves.append(best(seen.sleeve_scores) == sleeve)
        quarter = index % 4
        turned = look(np.ascontiguousarray(np.rot90(photo, quarter)))
        turns.append(float(turned.up @ [(0, -1), (-1, 0), (0, 1), (1, 0)][quarter]) > np.cos(np.deg2rad(20)))
    return {
        "category": float(np.mean(right)),
        "sleeve": float(np.mean(sleeves)),
        "up within 20 degrees": float(np.mean(turns)),
        "presence": float(np.mean(np.array(presence) > 0.5)),
    }


def score_rendered(photos: list[Path], count: int, seed: int = 12345) -> dict[str, float]:
    """Mask overlap and landmark error (median and mean, share of the garment's diagonal) on rendered garments."""
    rng = np.random.default_rng(seed)
    bank = make_bank(rng, photos, most=100)
    overlaps, errors, right, empty = [], [], [], []
    for _ in range(count):
        sample = render(rng, bank, random_category(rng))
        seen = look(sample.image)
        overlaps.append(overlap(seen, sample))
        errors.append(landmark_errors(seen, sample))
        if sample.pattern is not None:
            right.append(best(seen.category_scores) == sample.pattern.category)
    for _ in range(count // 5):
        empty.append(look(render(rng, bank, None).image).presence < 0.5)
    each = np.concatenate(errors)
    return {
        "overlap": float(np.mean(overlaps)),
        "landmark median": float(np.median(each)),
        "landmark mean": float(np.mean(each)),
        "landmarks within 3 %": float(np.mean(each < 0.03)),
        "category": float(np.mean(right)),
        "empty grounds known": float(np.mean(empty)),
    }


def overlap(seen: GarmentLook, sample: Sample) -> float:
    """Intersection over union of the masks."""
    found, true = seen.mask > 127, sample.mask > 127
    return float((found & true).sum() / max(1, (found | true).sum()))


def landmark_errors(seen: GarmentLook, sample: Sample) -> Any:
    """Distances of the landmarks in the picture, as shares of the garment's diagonal."""
    rows, columns = np.nonzero(sample.mask > 127)
    there = sample.landmarks[:, 2] > 0
    apart = np.linalg.norm(seen.landmarks[there, :2] - sample.landmarks[there, :2], axis=1)
    return apart / max(1.0, float(np.hypot(np.ptp(rows), np.ptp(columns))))


def sheet(photos: list[Path], columns: int = 10, side: int = 190) -> Any:
    """A contact sheet of what the network sees: outline, landmarks (wearer's left red), category; BGR."""
    tiles = []
    for path in photos:
        photo = read(path)
        seen = look(photo)
        scale = side / max(photo.shape[:2])
        tile = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        edge = cv2.resize(seen.mask, tile.shape[1::-1])
        outlines, _ = cv2.findContours((edge > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(tile, outlines, -1, (0, 255, 0), 1)
        for mark, (x, y, sure) in zip(Landmark, seen.landmarks, strict=True):
            if sure > 0.3:
                tint = (255, 0, 0) if "LEFT" in mark.name else (0, 0, 255) if "RIGHT" in mark.name else (0, 200, 0)
                cv2.circle(tile, (round(float(x) * scale), round(float(y) * scale)), 2, tint, -1)
        words = best(seen.category_scores)
        words += f" {best(seen.sleeve_scores)} {best(seen.neckline_scores)}" if words in UPPER else ""
        page = np.zeros((side + 12, side, 3), np.uint8)
        page[: tile.shape[0], : tile.shape[1]] = tile
        cv2.putText(page, words, (2, side + 9), 0, 0.36, (255, 255, 255), 1, cv2.LINE_AA)
        tiles.append(page)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m vestiary.training.garment_score")
    parser.add_argument("--garments", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="another ONNX file than the one that is shipped")
    parser.add_argument("--count", type=int, default=200, help="rendered garments")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of 60 held-out photos")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if chosen.model:
        inference.use_file("garment", chosen.model)
    held = list_photos(chosen.garments, validation=True)
    if chosen.sheet:
        cv2.imwrite(str(chosen.sheet), sheet(held[:: max(1, len(held) // 60)][:60]))
    log.info(json.dumps({"real": score_real(held), "photos": len(held)}))
    log.info(json.dumps({"rendered": score_rendered(held, chosen.count), "count": chosen.count}))


if __name__ == "__main__":
    main()
