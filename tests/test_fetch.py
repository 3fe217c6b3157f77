"""Pictures by address: fetched from listed hosts over TLS, within limits of size and time, and from nowhere else."""

from __future__ import annotations

import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("cryptography")

from tls import certificate_of

from vestiary.errors import ForbiddenError, ImageError, TooLargeError
from vestiary.serve import fetch as fetching
from vestiary.serve.fetch import fetch
from vestiary.serve.settings import Settings

HOST, OTHER = "pictures.example", "other.example"


class Pictures(http.server.BaseHTTPRequestHandler):
    """Answers `/large`, `/slow`, `/slow-head`, `/to?ADDRESS`, `/missing`, and a picture at any other path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.server.asked.append((self.headers["host"], self.path))  # type: ignore[attr-defined]
        if path == "/slow-head":
            self.dribble(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000)
            return
        self.send_response({"/missing": 404, "/to": 302}.get(path, 200))
        if path == "/to":
            self.send_header("Location", query)
        body = bytes(300_000) if path == "/large" else b"a picture"
        if path == "/slow":
            body *= 50
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if path == "/slow":
            self.dribble(body)
        else:
            self.wfile.write(body)

    def dribble(self, data: bytes) -> None:
        for byte in data:
            self.wfile.write(bytes([byte]))
            time.sleep(0.2)

    def log_message(self, *_: Any) -> None:
        return


class Quiet(http.server.ThreadingHTTPServer):
    """Says nothing of callers who hang up."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        return


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A TLS server of this machine that is `HOST`, and what its addresses begin with."""
    pem = tmp_path / "server.pem"
    pem.write_bytes(certificate_of(HOST))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = Quiet(("127.0.0.1", 0), Pictures)
    server.asked = []  # type: ignore[attr-defined]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(fetching, "trusted_roots", lambda: ssl.create_default_context(cafile=str(pem)))
    resolve(monkeypatch, "127.0.0.1")
    yield server
    server.shutdown()
    server.server_close()


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name mean these addresses."""
    found = [(2, 1, 6, "", (address, 443)) for address in addresses]
    monkeypatch.setattr(fetching.socket, "getaddrinfo", lambda *_, **__: found)


def listed(**more: Any) -> Settings:
    return Settings(url_hosts=(HOST, "127.0.0.0/8"), **more)


def at(server: Any, path: str) -> str:
    return f"https://{HOST}:{server.server_address[1]}{path}"


def test_a_listed_host_is_asked(place: Any) -> None:
    assert fetch(listed(), at(place, "/a.jpg?size=1")) == b"a picture"
    assert place.asked == [(f"{HOST}:{place.server_address[1]}", "/a.jpg?size=1")]


def test_redirects_stay_within_the_list(place: Any) -> None:
    assert fetch(listed(), at(place, "/to?/a.jpg")) == b"a picture"
    for target in (f"https://{OTHER}/a", f"http://{HOST}/a", "https://127.0.0.1/a", "file:///etc/passwd", "//[::1]/a"):
        with pytest.raises(ForbiddenError):
            fetch(listed(), at(place, f"/to?{target}"))
    with pytest.raises(ImageError, match="302"):
        fetch(listed(), at(place, f"/to?{at(place, '/to?/to?/to?/to?/a')}"))
    assert len(place.asked) <= 2 + 5 + 4


def test_size_and_time_are_bounded(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooLargeError):
        fetch(listed(max_upload_mb=0.1), at(place, "/large"))
    monkeypatch.setattr(fetching, "_SECONDS", 0.5)
    for path in ("/slow", "/slow-head"):
        begun = time.monotonic()
        with pytest.raises(ImageError, match="too long"):
            fetch(listed(), at(place, path))
        assert time.monotonic() - begun < 60


def test_what_cannot_be_fetched_is_told(place: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="404"):
        fetch(listed(), at(place, "/missing"))
    with pytest.raises(ImageError, match="cannot be fetched"):
        fetch(listed(), f"https://{HOST}:1/a")
    other = tmp_path / "other.pem"
    other.write_bytes(certificate_of(HOST))
    monkeypatch.setattr(fetching, "trusted_roots", lambda: ssl.create_default_context(cafile=str(other)))
    with pytest.raises(ImageError, match="cannot be fetched"):
        fetch(listed(), at(place, "/a"))


@pytest.mark.parametrize(
    "url", [f"http://{HOST}/a", f"https://{OTHER}/a", f"https://u:p@{HOST}/a", "https://127.0.0.1/a", "x", ""]
)
def test_other_addresses_are_forbidden(url: str) -> None:
    with pytest.raises(ForbiddenError):
        fetch(listed(), url)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.8", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.8"])
def test_names_of_private_addresses_are_forbidden(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, "93.184.215.14", address)
    with pytest.raises(ForbiddenError, match="private"):
        fetch(Settings(url_hosts=(HOST, "192.168.0.0/16")), f"https://{HOST}/a")
