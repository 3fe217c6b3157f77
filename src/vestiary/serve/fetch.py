"""Pictures from addresses on the allow-list."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from urllib.parse import urljoin

import anyio
import httpx

from vestiary.errors import ForbiddenError, ImageError, TooLargeError
from vestiary.serve.settings import Settings

_REDIRECTS = 3
_SECONDS = 10.0  # for everything: names, redirects, the whole file


def fetch(settings: Settings, url: str) -> bytes:
    """The file at an https address whose host is on the allow-list, as are all hosts it redirects to.

    A name is resolved once and the connection goes to that very address, so that it cannot point elsewhere between
    check and use. An address inside a private network is taken only if the list has that network, too.

    Raises:
        ForbiddenError: no https, a host that is not listed, or one that resolves to a private address.
        ImageError: it cannot be fetched, or not within ten seconds.
        TooLargeError: it is larger than `max_upload_mb`.
    """
    until = time.monotonic() + _SECONDS
    for _ in range(_REDIRECTS + 1):
        try:
            address = _checked(settings, url)
            status, place, data = anyio.run(_get, settings, url, address, until - time.monotonic())
        except TimeoutError:
            raise ImageError("the picture's address takes too long to answer.", hint="Send it as a file.") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            raise ImageError("the picture cannot be fetched from its address.", hint="Send it as a file.") from None
        if not place:
            break
        url = urljoin(url, place)
    if status != httpx.codes.OK:
        raise ImageError(f"the picture's address answers with {status}.", hint="Send it as a file.")
    return data


def trusted_roots() -> ssl.SSLContext:
    """Whose certificates are believed."""
    return httpx.create_ssl_context(trust_env=False)


def _checked(settings: Settings, url: str) -> str:
    """The network address that may be connected to."""
    parsed = httpx.URL(url)
    if parsed.scheme != "https" or parsed.host not in settings.url_hosts or parsed.userinfo:
        hint = "Send the picture as a file; who runs the service may add hosts with --url-host."
        raise ForbiddenError("pictures are not fetched from that address.", hint=hint)
    found = [str(info[4][0]) for info in socket.getaddrinfo(parsed.host, parsed.port or 443, type=socket.SOCK_STREAM)]
    if not all(_may(settings, ipaddress.ip_address(address.partition("%")[0])) for address in found):
        raise ForbiddenError("that host is inside a private network.", hint="Send the picture as a file.")
    return found[0]  # the system's choice: what this machine can most likely reach


def _may(settings: Settings, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_global or any(address in network for network in _networks(settings))


def _networks(settings: Settings) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """What of the allow-list is a network, or a single address of one."""
    found = []
    for entry in settings.url_hosts:
        try:
            found.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:  # a name
            continue
    return found


async def _get(settings: Settings, url: str, address: str, seconds: float) -> tuple[int, str, bytes]:
    """Status, where it redirects to ("" for nowhere), and content, as they come: nothing is unpacked."""
    parsed = httpx.URL(url)
    limit = int(settings.max_upload_mb * 1e6)
    headers = {"Host": parsed.netloc.decode(), "Accept": "image/*", "Accept-Encoding": "identity"}
    data = bytearray()
    with anyio.fail_after(seconds):  # each read has a limit of httpx's, but many short ones would last for ever
        async with (
            httpx.AsyncClient(timeout=_SECONDS, trust_env=False, verify=trusted_roots()) as client,
            client.stream(
                "GET", parsed.copy_with(host=address), headers=headers, extensions={"sni_hostname": parsed.host}
            ) as answer,
        ):
            if answer.has_redirect_location:
                return answer.status_code, answer.headers["location"], b""
            async for piece in answer.aiter_raw():
                data += piece
                if len(data) > limit:
                    raise TooLargeError(f"the picture is larger than {settings.max_upload_mb:g} MB.")
            return answer.status_code, "", bytes(data)
