"""Labels that the half-trained garment network gives real photos, kept only where there is reason to trust them.

A mask is kept where GrabCut (Rother et al. 2004), started from the network's answer, agrees with it; a landmark where
the answers for the photo and for a turned mirror image of it agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from vestiary.garment.network import decode_landmarks, letterbox
from vestiary.networks.garment import GarmentNetwork
from vestiary.training.cloth import read
from vestiary.training.garments import FOLDERS, SWAP
from vestiary.types import CATEGORIES, LANDMARKS_OF

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture, Points

AGREE = 0.9  # least overlap of the network's mask and GrabCut's
APART = 0.03  # most deviation of a landmark's places, as a share of the garment's diagonal


def write_pseudo_labels(network: GarmentNetwork, photos: Sequence[Path], out: Path, *, most: int = 600) -> int:
    """Write `out/FOLDER-NAME.npz` (mask, landmarks) for photos that can be trusted; how many there are."""
    out.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(0).permutation(len(photos))[:most]
    count = 0
    for index in order:
        path = photos[index]
        label = pseudo_label(network, read(path), FOLDERS[path.parent.name][0])
        if label is not None:
            np.savez_compressed(out / f"{path.parent.name}-{path.stem}.npz", **label)
            count += 1
    return count


def pseudo_label(network: GarmentNetwork, photo: Picture, category: str) -> dict[str, Any] | None:
    """A trusted mask `(H, W) uint8` and landmarks `(28, 3)` (1 = trusted) of an upright photo, or None."""
    height, width = photo.shape[:2]
    chances, places, names = [], [], []
    for degrees, mirrored in ((0, False), (-12, True)):
        move = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 0.92 if degrees else 1.0)
        if mirrored:
            move = np.array([[-1, 0, width - 1], [0, 1, 0]]) @ np.vstack([move, (0, 0, 1)])
        turned = cv2.warpAffine(photo, move, (width, height), borderMode=cv2.BORDER_REFLECT_101).astype(np.uint8)
        chance, points, named = _look(network, turned)
        back = cv2.invertAffineTransform(move)
        points[:, :2] = points[:, :2] @ back[:, :2].T + back[:, 2]
        places.append(points[SWAP] if mirrored else points)
        chances.append(cv2.warpAffine(chance, back, (width, height)))
        names.append(named)
    if category not in names:
        return None
    mask = _trusted_mask(photo, np.mean(chances, axis=0))
    if mask is None:
        return None
    rows, columns = np.nonzero(mask > 127)
    diagonal = float(np.hypot(np.ptp(rows), np.ptp(columns)))
    stack = np.stack(places)
    middle = stack[..., :2].mean(axis=0)
    away = np.linalg.norm(stack[..., :2] - middle, axis=2).max(axis=0)
    trusted = (away < APART * diagonal) & (stack[..., 2].min(axis=0) > 0.3)
    allowed = np.isin(np.arange(len(middle)), LANDMARKS_OF[category])  # type: ignore[index]
    landmarks = np.column_stack([middle, (trusted & allowed).astype(np.float32)]).astype(np.float32)
    return {"mask": mask, "landmarks": landmarks}


def _look(network: GarmentNetwork, photo: Picture) -> tuple[Any, Points, str]:
    """Mask chances `(H, W) float32`, landmarks in the photo's pixels, category."""
    canvas, scale, left, top = letterbox(photo)
    pictures = torch.from_numpy(canvas).permute(2, 0, 1)[None].float()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = {name: value[0].float() for name, value in network(pictures).items()}
    points = decode_landmarks(found["heat"].numpy(), found["visible"].sigmoid().numpy())
    points[:, :2] = (points[:, :2] - (left, top) + 0.5) / scale - 0.5
    height, width = photo.shape[:2]
    chance = found["mask"][0].sigmoid().numpy()
    part = chance[top : top + max(1, round(height * scale)), left : left + max(1, round(width * scale))]
    return cv2.resize(part, (width, height)), points, CATEGORIES[int(found["category"].argmax())]


def _trusted_mask(photo: Picture, chance: Any) -> Mask | None:
    """The network's mask sharpened by GrabCut, None where the two disagree or it touches the border much."""
    height, width = chance.shape
    scale = min(1.0, 300 / max(height, width))
    little = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    likely = cv2.resize(chance.astype(np.float32), little.shape[1::-1])
    first = likely > 0.5
    share = first.mean()
    if not 0.05 < share < 0.9:
        return None
    seeds = np.where(first, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[likely > 0.95], seeds[likely < 0.05] = cv2.GC_FGD, cv2.GC_BGD
    if not (seeds == cv2.GC_BGD).any() or not (seeds == cv2.GC_FGD).any():
        return None
    cv2.setRNGSeed(0)
    cv2.grabCut(little, seeds, None, np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_MASK)
    second = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD))
    second = cv2.medianBlur(second.astype(np.uint8), 3) > 0
    overlap = (first & second).sum() / max(1, (first | second).sum())
    border = np.concatenate([second[0], second[-1], second[:, 0], second[:, -1]]).mean()
    _, _, stats, _ = cv2.connectedComponentsWithStats(second.astype(np.uint8))
    largest = stats[1:, cv2.CC_STAT_AREA].max(initial=0) / max(1, second.sum())
    if overlap < AGREE or border > 0.12 or largest < 0.93:
        return None
    return (cv2.resize(second.astype(np.float32), (width, height)) * 255).astype(np.uint8)
