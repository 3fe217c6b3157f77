"""What routes share: the service behind the app, form fields, pictures as answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, cast

from fastapi import Depends, Form, Header, Request, Response

from vestiary.images import encode_picture
from vestiary.serve.finish import Stopwatch, picture_answer
from vestiary.serve.idempotency import Ledger
from vestiary.serve.negotiate import choose_format, formats
from vestiary.serve.problems import ErrorAnswer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vestiary.serve.service import Service


def service_of(request: Request) -> Service:
    """The service behind this app."""
    return cast("Service", request.app.state.service)


def ledger_of(request: Request) -> Ledger:
    """Where idempotency keys are written down."""
    return cast("Ledger", request.app.state.ledger)


House = Annotated[Any, Depends(service_of)]
Book = Annotated[Ledger, Depends(ledger_of)]
KeepHours = Annotated[
    float | None, Form(gt=0, le=24 * 366, description="How long it is kept.  [default: as the service is set]")
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$",
        description="Any text of yours; the same request with the same key is done once and answered alike.",
    ),
]

PICTURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The picture, in the format that the Accept header likes best.",
        "content": {f"image/{name}": {"schema": {"type": "string", "format": "binary"}} for name in formats()},
    },
    406: {"model": ErrorAnswer, "description": "No accepted picture format can be written."},
}


def show(request: Request, read: Callable[[], NDArray[np.uint8]], *, exact: bool = False) -> Response:
    """A stored picture as the caller likes it; `exact`: every pixel counts, so PNG unless a format is named."""
    accept = request.headers.get("accept")
    choose_format(accept, transparent=exact)  # refuse before work
    watch = Stopwatch()
    image = read()
    watch.lap("store")
    format = choose_format(accept, transparent=exact or (image.ndim == 3 and image.shape[2] == 4))
    data = encode_picture(image, format)
    watch.lap("encode")
    return picture_answer(data, format, watch.spans)
