"""The last steps of a picture before it goes out: watermark, format, provenance, content credentials."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import Response

from vestiary.errors import OptionError
from vestiary.images import encode_picture
from vestiary.serve.negotiate import Format
from vestiary.serve.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vestiary.serve.records import FittingRecord

QUALITY = 90


def finish_picture(
    settings: Settings, image: NDArray[np.uint8], mask: NDArray[np.uint8], record: FittingRecord, format: Format
) -> bytes:
    """A fitted picture as it leaves the house.

    Args:
        settings: say whether it is marked and signed.
        image: `(H, W, 3) uint8` sRGB.
        mask: `(H, W) uint8`; the watermark changes nothing where it is 0.
        record: its provenance goes into the file, its id into the watermark.
        format: of the file.
    """
    if settings.watermark:
        from vestiary.trust.watermark import embed, payload_of

        image = embed(image, mask, payload_of(record.id))
    data = encode_picture(image, format, quality=QUALITY, provenance=record.provenance)
    if settings.signing_key is not None and settings.signing_certificate is not None:
        from vestiary.trust.credentials import sign

        key, chain = settings.signing_key.read_bytes(), settings.signing_certificate.read_bytes()
        data = sign(data, f"image/{format}", record.provenance, key, chain)
    return data


def check_signing(settings: Settings) -> None:
    """Find out at the start whether pictures can be signed, if they are to be.

    Raises:
        OptionError: only one of key and certificate is given, one cannot be read, or they cannot sign together.
        MissingExtraError: the extra `safety` is not installed.
    """
    key, chain = settings.signing_key, settings.signing_certificate
    if key is None and chain is None:
        return
    if key is None or chain is None:
        hint = "Give both: --signing-key and --signing-certificate."
        raise OptionError("a signing key needs its certificate, and a certificate its key.", hint=hint)
    from vestiary.trust.credentials import check_identity

    try:
        pems = key.read_bytes(), chain.read_bytes()
    except OSError as problem:
        hint = "Check --signing-key and --signing-certificate."
        raise OptionError(f"{problem.filename} cannot be read: {problem.strerror}.", hint=hint) from None
    check_identity(*pems)


def picture_answer(data: bytes, format: Format, timings: Mapping[str, float], **headers: str) -> Response:
    """The answer with a picture; photos are personal, so no cache may keep it."""
    spans = ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in timings.items())
    told = {"Cache-Control": "no-store", "Vary": "Accept, Authorization, Cookie", "Server-Timing": spans}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(data, media_type=f"image/{format}", headers=told | given)


class Stopwatch:
    """Seconds of named spans, one after the other."""

    def __init__(self) -> None:
        self.spans: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """End the span that has run since the last call, under this name."""
        now = time.perf_counter()
        self.spans[name] = now - self._last
        self._last = now


def engine_spans(record: FittingRecord) -> dict[str, Any]:
    """What of a fitting's own timings is told with its picture: the engine as one span."""
    return {"engine": sum(record.timings.values())}
