"""The main colours of a garment, measured from its pixels, and their names."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Mask, Picture

    Floats = NDArray[np.floating[Any]]

RGB = tuple[int, int, int]
# CSS colours that stand for each of the eleven basic colour terms of English (Berlin & Kay 1969), and for beige, which
# clothes are so often; a few shades that cloth has and CSS has not are given as numbers.
NAMED: dict[str, str] = {
    "black": "#000000 #1b1b1e #2a2a2c #38383a",
    "white": "#ffffff #f5f5f5 #dedee0 #fffafa #cacaca #c4cad2",
    "grey": "#808080 #696969 #a9a9a9 #b0b0b0 #55565a #708090 #90949c #5c6068",
    "red": "#ff0000 #b22222 #8b0000 #dc143c #6e1423 #a52a2a #c0303a",
    "orange": "#ffa500 #ff8c00 #ff7f50 #e2601e #c8551b",
    "yellow": "#ffff00 #ffd700 #f0e68c #daa520 #e8d44d #c9b037",
    "green": "#008000 #228b22 #006400 #556b2f #6b8e23 #90ee90 #2e8b57 #8fbc8f #1f3b2c #9acd32 #4c5a3c #00a884",
    "blue": "#0000ff #000080 #191970 #4169e1 #4682b4 #87ceeb #6a8caf #2c3e5c #1e90ff #add8e6 #00bfff #4f6d8f #1e2a40"
    " #4f9098 #8a98a8",
    "purple": "#800080 #4b0082 #9370db #8a2be2 #5a3a5e #b19cd9 #7a4a7e",
    "pink": "#ffc0cb #ff69b4 #ff1493 #db7093 #e8a0a8 #d8a0b8 #c71585 #d9577a",
    "brown": "#8b4513 #a0522d #654321 #4e3524 #7b5a3c #3b2a20 #6f5f50",
    "beige": "#f5f5dc #d2b48c #e8dcc4 #c8b8a0 #deb887 #eee0cc #b8a88c",
}


def main_colours(image: Picture, alpha: Mask, *, most: int = 5) -> tuple[tuple[tuple[int, int, int], float], ...]:
    """The main colours with their shares, largest first: k-means in Lab over the sure alpha, near ones merged."""
    step = max(1, round(max(alpha.shape) / 512))
    pixels = image[::step, ::step][alpha[::step, ::step] > 240]
    if len(pixels) < most:
        return ()
    pixels = pixels[:: max(1, len(pixels) // 4000)]
    lab = cv2.cvtColor(pixels[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    cv2.setRNGSeed(0)
    rule = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    _, labels, centres = cv2.kmeans(lab, most, None, rule, 1, cv2.KMEANS_PP_CENTERS)
    shares = np.bincount(labels.ravel(), minlength=most) / len(labels)
    merged = _merge(centres, shares)
    rgb = cv2.cvtColor(np.array([[colour for colour, _ in merged]], np.float32), cv2.COLOR_LAB2RGB)[0]
    bytes_ = np.rint(np.clip(rgb, 0, 1) * 255).astype(int).tolist()
    return tuple(((r, g, b), round(share, 3)) for (r, g, b), (_, share) in zip(bytes_, merged, strict=True))


def _merge(centres: Floats, shares: Floats, near: float = 14) -> list[tuple[Floats, float]]:
    """Colours less than `near` apart (CIE76, lightness counting less) become one; those under 3 % are dropped."""
    groups: list[tuple[Floats, float]] = []
    for k in np.argsort(-shares, kind="stable"):
        centre, share = centres[k], float(shares[k])
        for i, (other, weight) in enumerate(groups):
            if np.linalg.norm((other - centre) * (0.7, 1, 1)) < near:
                groups[i] = ((other * weight + centre * share) / (weight + share), weight + share)
                break
        else:
            groups.append((centre, share))
    return sorted((group for group in groups if group[1] >= 0.03), key=lambda group: -group[1])


def names_of(colours: tuple[tuple[RGB, float], ...], *, least: float = 0.12) -> tuple[str, ...]:
    """The names of the main colours, largest share first; colours of one name count together."""
    shares: dict[str, float] = {}
    for rgb, share in colours:
        name = name_of(rgb)
        shares[name] = shares.get(name, 0.0) + share
    ranked = sorted(shares, key=lambda name: -shares[name])
    return tuple(name for name in ranked if shares[name] >= least) or tuple(ranked[:1])


def name_of(rgb: RGB) -> str:
    """The basic colour term of a colour: that of the nearest named one in Lab, lightness counting less."""
    words, places = _named()
    off = (places - lab_of(rgb)) * (0.6, 1, 1)
    return words[int((off**2).sum(1).argmin())]


def lab_of(rgb: RGB) -> Floats:
    """`(3,) float32`: CIE L*a*b* (D65), L* 0..100."""
    return np.asarray(cv2.cvtColor(np.array([[rgb]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0])


def _rgb(code: str) -> RGB:
    red, green, blue = bytes.fromhex(code[1:])
    return red, green, blue


@lru_cache(maxsize=1)
def _named() -> tuple[list[str], Floats]:
    pairs = [(word, _rgb(code)) for word, codes in NAMED.items() for code in codes.split()]
    return [word for word, _ in pairs], np.array([lab_of(rgb) for _, rgb in pairs])
