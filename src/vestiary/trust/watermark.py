"""An invisible mark in a fitted picture that says which fitting it is, and survives re-encoding and resizing.

Spread spectrum (Cox et al. 1997) in the low frequencies of an 8 × 8 block DCT of the luma, on a grid of fixed size that
every picture is scaled to, so that the picture's own size does not matter. Each of the 48 bits (32 of payload, 16 of
checksum) is spread over hundreds of coefficients all over the picture. The embedder knows the picture and how the
detector will look at it: each bit gets as much strength as it needs (Malvar and Florêncio, "Improved spread spectrum",
2003). Only pixels under the mask change; the detector, who does not know the mask, looks at every rectangle of the
picture and takes the one that says most.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.errors import OptionError

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture

Floats = NDArray[np.float32]

PAYLOAD_BYTES = 4
KEY = 20_261_121  # whoever knows it can detect and forge; a shop may take its own
SIDE = 640  # of the grid
BITS = 8 * PAYLOAD_BYTES + 16
MIN_STRENGTH = 1.35  # mean |z| over the bits; see docs/trust.md for the false alarms
_BLOCK, _LOW = 8, 4  # of the 8 × 8 frequencies, the lowest 4 × 4 but the mean
_USED = np.array([(u, v) for u in range(_LOW) for v in range(_LOW) if 0 < u + v < 6], np.intp)
_AMPLITUDE = 2.2  # grey levels (RMS); no weaker where it is flat, for codecs take it away there first
_MAX_RMS = 1.9  # grey levels over the whole mask: a PSNR of 42.5 dB
_GOAL = 9.0  # of each bit's z
_GAINS = (0.5, 2.0)
_WEAKEST, _FLIPS = 8, 3  # as many of the weakest bits may have been read wrongly
_TILES, _LEAST = 16, 3  # the grid is cut into 16 × 16 tiles; the smallest rectangle has 3 × 3
_LEAST_VOTE = 0.004  # so that where a picture is quite flat, rounding does not pass for a mark
_NOISE = 2.5  # standard deviation that coding and scaling add to a coefficient


@dataclass(frozen=True)
class Found:
    """A mark.

    Attributes:
        payload: 4 bytes.
        strength: mean |z| over the bits; 0.8 where there is no mark.
        repaired: bits that were read wrongly and mended with the checksum.
    """

    payload: bytes
    strength: float
    repaired: int = 0


def payload_of(name: str) -> bytes:
    """Four bytes that stand for a fitting's name: the beginning of its SHA-256."""
    return hashlib.sha256(name.encode()).digest()[:PAYLOAD_BYTES]


def embed(image: Picture, mask: Mask, payload: bytes, *, key: int = KEY) -> Picture:
    """The picture with the mark; equal to it wherever the mask is 0.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        mask: `(H, W) uint8`: only where it is not 0 may pixels change. In a small or busy place the mark is weak.
        payload: 4 bytes; `payload_of` makes them.
        key: the detector must have the same.

    Raises:
        OptionError: a payload of another length.
    """
    if len(payload) != PAYLOAD_BYTES:
        raise OptionError(f"a payload of {len(payload)} bytes does not fit.", hint=f"Give {PAYLOAD_BYTES} bytes.")
    inside = mask > 0
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return image.copy()
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    bits, (which, signs) = _bits_of(payload), _pattern(key)
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    coefficients = _analyse(_to_grid(luma))
    direction = signs * bits[which] * np.float32(_AMPLITUDE * _BLOCK / np.sqrt(len(_USED)))
    weights = _weights(coefficients)
    coverage = cv2.resize(inside.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    before = _Votes.count(coefficients * weights * signs, which)
    slope = _Votes.count(_analyse(_synthesise(direction) * coverage) * weights * signs, which).sums * bits
    area = int(np.argmax(np.mean(slope / before.spreads, axis=1)))
    need = _GOAL * before.spreads[area] - before.sums_of(area) * bits
    gains = np.clip(need / np.maximum(slope[area], 1e-6), *_GAINS).astype(np.float32)
    residual = _from_grid(_synthesise(direction * gains[which]), luma.shape, box) * inside[box]
    rms = float(np.sqrt((residual**2).sum() / inside.sum()))
    return _add(image, residual * np.float32(min(1, _MAX_RMS / rms)), box)


def detect(image: Picture, *, key: int = KEY) -> Found | None:
    """The mark in a picture, or None if there is none that can be read.

    Args:
        image: `(H, W, 3) uint8` sRGB, of any size, as long as it was not cropped or turned.
        key: the embedder's.
    """
    scores = scores_of(image, key=key)
    strength = float(np.abs(scores).mean())
    if strength < MIN_STRENGTH:
        return None
    read = scores > 0
    weakest = np.argsort(np.abs(scores), kind="stable")[:_WEAKEST]
    for flips in (flips for count in range(_FLIPS + 1) for flips in itertools.combinations(range(_WEAKEST), count)):
        tried = read.copy()
        tried[weakest[list(flips)]] ^= True
        data = np.packbits(tried).tobytes()
        if _checksum(data[:PAYLOAD_BYTES]) == data[PAYLOAD_BYTES:]:
            return Found(data[:PAYLOAD_BYTES], strength, len(flips))
    return None


def scores_of(image: Picture, *, key: int = KEY) -> Floats:
    """`(48,) float32`: the z-score of each bit in the rectangle that says most; positive is 1."""
    coefficients = _analyse(_to_grid(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)))
    which, signs = _pattern(key)
    votes = _Votes.count(coefficients * _weights(coefficients) * signs, which)
    scores = votes.sums / votes.spreads
    return np.asarray(scores[int(np.argmax(np.abs(scores).mean(axis=1)))])


def _checksum(payload: bytes) -> bytes:
    return (zlib.crc32(b"vestiary" + payload) & 0xFFFF).to_bytes(2, "big")


def _bits_of(payload: bytes) -> Floats:
    """±1 for each bit of payload and checksum."""
    bits = np.unpackbits(np.frombuffer(payload + _checksum(payload), np.uint8))
    return bits.astype(np.float32) * 2 - 1


@functools.lru_cache(maxsize=8)
def _pattern(key: int) -> tuple[NDArray[np.intp], Floats]:
    """`(80, 80, K)` each: to which bit a coefficient belongs, and its sign."""
    shape = (SIDE // _BLOCK, SIDE // _BLOCK, len(_USED))
    rng = np.random.Generator(np.random.PCG64(key))
    which = rng.permutation(np.arange(int(np.prod(shape))) % BITS).reshape(shape)
    signs = rng.integers(0, 2, shape).astype(np.float32) * 2 - 1
    return which, signs


@functools.cache
def _basis() -> Floats:
    """`(4, 8)`: the lowest rows of the orthonormal DCT-II."""
    n, k = np.arange(_BLOCK) + 0.5, np.arange(_LOW)[:, None]
    basis = np.cos(np.pi * k * n / _BLOCK) * np.sqrt(2 / _BLOCK)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float32)


def _to_grid(luma: Mask) -> Floats:
    smaller = luma.shape[0] >= SIDE and luma.shape[1] >= SIDE
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(luma.astype(np.float32), (SIDE, SIDE), interpolation=method))


def _from_grid(grid: Floats, shape: tuple[int, ...], box: tuple[slice, slice]) -> Floats:
    """The part of the grid in the box, at the picture's own size."""
    height, width = shape[0], shape[1]
    rows, columns = box
    down, across = SIDE / height, SIDE / width
    shift = np.array(
        [[across, 0, (columns.start + 0.5) * across - 0.5], [0, down, (rows.start + 0.5) * down - 0.5]], np.float32
    )
    size = columns.stop - columns.start, rows.stop - rows.start
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(grid, shift, size, flags=flags, borderMode=cv2.BORDER_REPLICATE))


def _analyse(grid: Floats) -> Floats:
    """`(80, 80, K)`: the used coefficients of each block."""
    count, basis = SIDE // _BLOCK, _basis()
    rows = np.matmul(basis, grid.reshape(count, _BLOCK, SIDE))
    both = np.matmul(rows.reshape(count, _LOW, count, _BLOCK), basis.T)
    return np.ascontiguousarray(both[:, _USED[:, 0], :, _USED[:, 1]].transpose(1, 2, 0))


def _synthesise(coefficients: Floats) -> Floats:
    """The grid of which these are the coefficients; all others are 0."""
    count, basis = SIDE // _BLOCK, _basis()
    both = np.zeros((count, _LOW, count, _LOW), np.float32)
    both[:, _USED[:, 0], :, _USED[:, 1]] = coefficients.transpose(2, 0, 1)
    rows = np.matmul(both, basis).reshape(count, _LOW, SIDE)
    return np.asarray(np.matmul(basis.T, rows).reshape(SIDE, SIDE), np.float32)


def _deviation(coefficients: Floats) -> Floats:
    """`(80, 80)`: grey levels by which pixels vary around each block, as far as the used frequencies tell."""
    energy = np.einsum("ijk,ijk->ij", coefficients, coefficients)
    return np.asarray(np.sqrt(cv2.blur(energy, (3, 3))) / _BLOCK)


def _weights(coefficients: Floats) -> Floats:
    """`(80, 80, K)`: how much each coefficient counts: the mark over the variance of what else may be there."""
    falling = 1 / np.hypot(*_USED.T).astype(np.float32)  # pictures have less of what is finer
    falling /= np.sqrt(np.mean(falling**2))
    spread = _deviation(coefficients)[..., None] * (_BLOCK / np.sqrt(len(_USED)) * falling)
    return np.asarray(1 / (spread**2 + _NOISE**2), np.float32)


@dataclass(frozen=True, eq=False)
class _Votes:
    """What the coefficients of each tile say of each bit: sums and sums of squares, `(_TILES**2 * 48,)`."""

    tiles: NDArray[np.float64]
    powers: NDArray[np.float64]

    @staticmethod
    def count(votes: Floats, which: NDArray[np.intp]) -> _Votes:
        tile = np.arange(SIDE // _BLOCK) * _TILES // (SIDE // _BLOCK)
        places = ((tile[:, None] * _TILES + tile)[..., None] * BITS + which).ravel()
        flat = votes.ravel()
        sums, powers = (
            np.asarray(np.bincount(places, values, _TILES * _TILES * BITS), np.float64)
            for values in (flat, flat * flat + _LEAST_VOTE**2)
        )
        return _Votes(sums, powers)

    @functools.cached_property
    def sums(self) -> Floats:
        """`(R, 48)`: of each rectangle."""
        return _over_areas(self.tiles)

    @functools.cached_property
    def spreads(self) -> Floats:
        """`(R, 48)`: the standard deviations of the sums."""
        return np.sqrt(_over_areas(self.powers))

    def sums_of(self, area: int) -> Floats:
        """`(48,)`: of one rectangle, at a fraction of the cost of all."""
        top, bottom, left, right = _areas()[area]
        tiles = self.tiles.reshape(_TILES, _TILES, BITS)[top:bottom, left:right]
        return np.asarray(tiles.sum(axis=(0, 1)), np.float32)


@functools.cache
def _areas() -> NDArray[np.intp]:
    """`(R, 4)`: top, bottom, left, right of all rectangles of tiles in which a garment could be."""
    ends = [(a, b) for a in range(_TILES) for b in range(a + _LEAST, _TILES + 1)]
    return np.array([(*rows, *columns) for rows in ends for columns in ends], np.intp)


def _over_areas(tiles: NDArray[Any]) -> Floats:
    """`(R, 48) float32`: sums over each rectangle."""
    whole = np.zeros((_TILES + 1, _TILES + 1, BITS))
    whole[1:, 1:] = tiles.reshape(_TILES, _TILES, BITS).cumsum(axis=0).cumsum(axis=1)
    top, bottom, left, right = _areas().T
    sums = whole[bottom, right] - whole[top, right] - whole[bottom, left] + whole[top, left]
    return np.asarray(sums, np.float32)


def _add(image: Picture, residual: Floats, box: tuple[slice, slice]) -> Picture:
    """The picture with a grey residual added; colours stay as they are but for the ends of the scale."""
    marked = image.copy()
    part = marked[box].astype(np.float32) + residual[..., None]
    marked[box] = np.clip(np.rint(part), 0, 255).astype(np.uint8)
    return marked
