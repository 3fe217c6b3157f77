"""A typed client of the service: `Client("http://localhost:8000").fit("me.jpg", "shirt.jpg").save("out.webp")`."""

from __future__ import annotations

from vestiary.client.client import Client
from vestiary.client.fittings import Fitted, Preview

__all__ = ["Client", "Fitted", "Preview"]
