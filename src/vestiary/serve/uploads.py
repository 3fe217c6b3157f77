"""Pictures that come in: as files of a form, or from addresses on the allow-list."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

import httpx
from fastapi import UploadFile

from vestiary.errors import ForbiddenError, ImageError, InputError, OptionError, TooLargeError
from vestiary.serve.settings import Settings

_REDIRECTS = 3
_SECONDS = 10.0


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


def fetch(settings: Settings, url: str) -> bytes:
    """The file at an https address whose host is on the allow-list, as are all hosts it redirects to.

    The name is resolved once and the connection goes to that very address, so that a name cannot point elsewhere
    between check and use.

    Raises:
        ForbiddenError: no https, a host that is not listed, or one that resolves to a private address.
        ImageError: it cannot be fetched.
        TooLargeError: it is larger than `max_upload_mb`.
    """
    for _ in range(_REDIRECTS + 1):
        try:
            address = _checked(settings, url)
            answer, data = _get(settings, url, address)
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            raise ImageError("the picture cannot be fetched from its address.", hint="Send it as a file.") from None
        if not answer.has_redirect_location:
            break
        url = urljoin(url, answer.headers["location"])
    if answer.status_code != httpx.codes.OK:
        raise ImageError(f"the picture's address answers with {answer.status_code}.", hint="Send it as a file.")
    return data


def _checked(settings: Settings, url: str) -> str:
    """The network address that may be connected to."""
    parsed = httpx.URL(url)
    if parsed.scheme != "https" or parsed.host not in settings.url_hosts or parsed.userinfo:
        hint = "Send the picture as a file; who runs the service may add hosts with --url-host."
        raise ForbiddenError("pictures are not fetched from that address.", hint=hint)
    found = {str(info[4][0]) for info in socket.getaddrinfo(parsed.host, parsed.port or 443, type=socket.SOCK_STREAM)}
    if not all(ipaddress.ip_address(address.partition("%")[0]).is_global for address in found):
        raise ForbiddenError("that host is inside a private network.", hint="Send the picture as a file.")
    return min(found)


def _get(settings: Settings, url: str, address: str) -> tuple[httpx.Response, bytes]:
    parsed = httpx.URL(url)
    limit = int(settings.max_upload_mb * 1e6)
    data = bytearray()
    with (
        httpx.Client(timeout=_SECONDS, trust_env=False) as client,
        client.stream(
            "GET",
            parsed.copy_with(host=address),
            headers={"Host": parsed.netloc.decode(), "Accept": "image/*"},
            extensions={"sni_hostname": parsed.host},
        ) as answer,
    ):
        for piece in answer.iter_bytes():
            data += piece
            if len(data) > limit:
                raise TooLargeError(f"the picture is larger than {settings.max_upload_mb:g} MB.")
    return answer, bytes(data)
