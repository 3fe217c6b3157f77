"""Which picture format an answer has: what the caller's Accept header likes best of what can be written."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Literal, cast

from vestiary.errors import NotAcceptableError

Format = Literal["png", "jpeg", "webp", "avif", "jxl"]

# In the order of preference among equals. WebP is small, quick to write, and every browser shows it.
_PREFERENCE: tuple[Format, ...] = ("webp", "jpeg", "png", "avif", "jxl")
_TRANSPARENT: tuple[Format, ...] = ("png", "webp", "avif", "jxl")
_UNSIGNED: Format = "jxl"  # cannot carry content credentials
JSON = "application/json"


def formats(*, transparent: bool = False) -> list[Format]:
    """The formats that can be written here, best first; with transparency only those that have it, PNG first."""
    wanted = _TRANSPARENT if transparent else _PREFERENCE
    return [name for name in wanted if name != "jxl" or importlib.util.find_spec("imagecodecs") is not None]


def choose_format(accept: str | None, *, transparent: bool = False, signed: bool = False) -> Format:
    """The picture format that the caller likes best; `signed`: of those that can carry content credentials.

    Named formats go before wildcards. A caller who takes anything (`*/*`, `image/*`, no header) gets JPEG, which
    every program opens; or PNG where there is transparency or every pixel counts (masks, layers).

    Raises:
        NotAcceptableError: none of what is accepted can be written; the message lists what can.
    """
    offered = [f"image/{name}" for name in formats(transparent=transparent) if not (signed and name == _UNSIGNED)]
    chosen = best(accept, offered, general="image/png" if transparent else "image/jpeg")
    return cast(Format, chosen.removeprefix("image/"))


def wants_record(accept: str | None) -> bool:
    """Whether the caller would rather have the record as JSON than the picture."""
    pictures = [f"image/{name}" for name in formats()]
    return best(accept, [*pictures, JSON], general="image/jpeg") == JSON


def best(accept: str | None, offered: Sequence[str], *, general: str) -> str:
    """The offered media type of the highest quality (RFC 9110, 12.5.1); among equals the named, then the first.

    Args:
        accept: the header.
        offered: in the order of the server's preference.
        general: the one that stands for a wildcard.

    Raises:
        NotAcceptableError: none has a quality above 0.
    """
    ranges = _ranges(accept or "*/*")
    ordered = sorted(offered, key=lambda kind: kind != general)  # among those only a wildcard admits, `general` leads
    ranked = []
    for kind in offered:
        exactness, quality = _match(kind, ranges)
        place = offered.index(kind) if exactness == 2 else ordered.index(kind)
        ranked.append((-quality, -exactness, place, kind))
    quality, *_, kind = min(ranked)
    if quality == 0:
        hint = f"Accept one of: {', '.join(offered)}."
        raise NotAcceptableError("none of the formats in the Accept header can be written here.", hint=hint)
    return kind


def _ranges(accept: str) -> list[tuple[str, float]]:
    """Media ranges with their qualities; what cannot be read is left out."""
    found = []
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                quality = _quality(value)
        if "/" in kind:
            found.append((kind.replace("image/jpg", "image/jpeg"), quality))
    return found


def _quality(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return min(1.0, max(0.0, value)) if value == value else 0.0


def _match(kind: str, ranges: Sequence[tuple[str, float]]) -> tuple[int, float]:
    """How exactly the most specific matching range names this type (2, 1, 0; -1: none does), and its quality."""
    whole = kind.partition("/")[0] + "/*"
    hits = [(exactness, q) for name, q in ranges for exactness, like in enumerate(("*/*", whole, kind)) if name == like]
    return max(hits, key=lambda hit: hit[0]) if hits else (-1, 0.0)
