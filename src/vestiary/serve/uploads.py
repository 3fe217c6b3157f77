"""What comes in with a form: pictures, as files or from addresses, and options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import UploadFile

from vestiary.errors import ImageError, InputError, OptionError, TooLargeError
from vestiary.serve.fetch import fetch
from vestiary.serve.settings import Settings


def read_photo(
    settings: Settings, file: UploadFile | None, url: str | None = None, *, name: str = "photo", remedy: str = ""
) -> bytes:
    """The bytes of the one photo that was sent.

    Raises:
        InputError: none was sent, or both a file and an address.
        ImageError: it is empty.
        TooLargeError: it is larger than `max_upload_mb`.
        ForbiddenError: the address is not on the allow-list.
    """
    if (file is None) == (url is None):
        hint = remedy or f"Send the picture as the file {name!r} of a form (multipart/form-data)."
        raise InputError(f"one {name} is needed.", hint=hint)
    if url is not None:
        return fetch(settings, url)
    assert file is not None
    limit = int(settings.max_upload_mb * 1e6)
    data = file.file.read(limit + 1)
    check_bytes(settings, data, name)
    return data


def check_bytes(settings: Settings, data: bytes, name: str) -> None:
    """Raises ImageError for nothing, TooLargeError for too much."""
    if not data:
        raise ImageError(f"the file {name!r} is empty.", hint="Send a JPEG, PNG, WebP or AVIF.")
    if len(data) > settings.max_upload_mb * 1e6:
        raise TooLargeError(f"the {name} is larger than {settings.max_upload_mb:g} MB.", hint="Save it as JPEG.")


def read_options(text: str | None) -> dict[str, Any]:
    """The engine's options from the JSON in a form field.

    Raises:
        OptionError: it is not a JSON object.
    """
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping):
        raise OptionError("options is not a JSON object.", hint='Send something like {"seed": 1}.')
    return dict(found)
