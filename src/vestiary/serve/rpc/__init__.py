"""The service over gRPC: a thin adapter; what it does is in `vestiary.serve.service`."""

from __future__ import annotations

from typing import Any

from vestiary.errors import MissingExtraError
from vestiary.serve.settings import Settings


def serve_rpc(service: Any, settings: Settings, keys: Any = None, rates: Any = None) -> Any:
    """A gRPC server that has started on `settings.grpc_port`: its `port`, and `stop(seconds)`.

    It counts requests in `rates`, or for itself.

    Raises:
        MissingExtraError: grpcio is not installed.
        InputError: the port is taken.
    """
    try:
        from vestiary.serve.rpc.server import start
    except ImportError as problem:
        if (problem.name or "").partition(".")[0] not in ("grpc", "grpc_health", "google"):
            raise
        raise MissingExtraError("gRPC needs grpcio.", hint='Type: pip install "vestiary[grpc]"') from None
    return start(service, settings, keys, rates)
