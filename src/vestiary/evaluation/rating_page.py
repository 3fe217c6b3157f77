"""The rating page: a small local server that shows the questions of a poll and takes the answers.

Bound to this machine only; pictures are served under numbers, so neither address nor page tells whose they are.
"""

from __future__ import annotations

import json
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from vestiary.errors import OutputError, VestiaryError
from vestiary.evaluation.rating import Poll

HOST = "127.0.0.1"
_POLICY = "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
LARGEST = 4096  # bytes of a request's body
_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}


class RatingServer(ThreadingHTTPServer):
    """A server for one poll.

    Args:
        poll: what is asked.
        port: 0 = a free one.

    Raises:
        OutputError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, poll: Poll, port: int = 0) -> None:
        self.poll = poll
        self.token = secrets.token_urlsafe(12)  # so that no other page in the browser can vote
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as problem:
            hint = "Choose another --port, or 0 for a free one."
            raise OutputError(f"port {port} cannot be opened: {problem.strerror}.", hint=hint) from None

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: RatingServer

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(place.query).items()}
        if not self._from_here():
            self._send(HTTPStatus.FORBIDDEN, b"", "text/plain")
        elif place.path == "/":
            page = _PAGE.replace("TOKEN", self.server.token).replace("MODE", self.server.poll.mode)
            self._send(HTTPStatus.OK, page.encode(), "text/html; charset=utf-8")
        elif place.path == "/question":
            self._answer(lambda: self._question(query))
        elif place.path == "/picture":
            self._picture(query)
        else:
            self._send(HTTPStatus.NOT_FOUND, b"", "text/plain")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if not self._from_here() or self.headers.get("X-Token") != self.server.token or not 0 < length <= LARGEST:
            self._send(HTTPStatus.FORBIDDEN, b"", "text/plain")
            return
        body = self.rfile.read(length)
        self._answer(lambda: self._vote(json.loads(body)))

    def _from_here(self) -> bool:
        """Whether the request names this machine: a foreign page cannot pass for it by a name of its own."""
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        return host in (HOST, "localhost")

    def _question(self, query: dict[str, str]) -> dict[str, Any]:
        poll, rater = self.server.poll, _rater(query.get("rater"))
        index = int(query["index"]) if "index" in query else poll.next_index(rater)
        total = len(poll.order(rater))
        if index >= total:
            return {"done": True, "total": total}
        found = poll.question(rater, index)
        return {
            "index": index,
            "total": total,
            "pictures": 1 if found.right is None else 2,
            "references": sorted(found.references, reverse=True),  # person, garment
        }

    def _vote(self, given: Any) -> dict[str, Any]:
        seconds = given.get("seconds")
        took = float(seconds) if isinstance(seconds, (int, float)) else None
        self.server.poll.vote(_rater(given.get("rater")), int(given["index"]), given["answer"], seconds=took)
        return {"kept": True}

    def _picture(self, query: dict[str, str]) -> None:
        try:
            found = self.server.poll.question(_rater(query.get("rater")), int(query["index"]))
            files: dict[str, Path | None] = {"left": found.left, "right": found.right, **found.references}
            file = files[query["which"]]
            assert file is not None
            self._send(HTTPStatus.OK, file.read_bytes(), _TYPES[file.suffix.lower()])
        except (VestiaryError, KeyError, ValueError, OSError, AssertionError):
            self._send(HTTPStatus.NOT_FOUND, b"", "text/plain")

    def _answer(self, work: Any) -> None:
        """Send what some work gives as JSON, or why it fails."""
        try:
            status, found = HTTPStatus.OK, work()
        except VestiaryError as problem:
            status, found = HTTPStatus(problem.http_status), {"error": problem.as_dict()}
        except (KeyError, ValueError, TypeError, AttributeError):
            status, found = HTTPStatus.BAD_REQUEST, {"error": {"code": "request", "message": "not understood."}}
        self._send(status, json.dumps(found).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _rater(name: object) -> str:
    text = str(name or "").strip()[:60]
    return text or "anonymous"


_PAGE = (Path(__file__).parent / "rating.html").read_text(encoding="utf-8")
