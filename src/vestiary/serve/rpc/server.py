"""The gRPC server: its threads, limits, port and identity."""

from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from vestiary.errors import InputError, OptionError
from vestiary.serve.rates import Rates
from vestiary.serve.rpc.calls import MOST_WAITING, FittingRoom
from vestiary.serve.rpc.fitting_room_pb2_grpc import add_FittingRoomServicer_to_server
from vestiary.serve.rpc.guard import Guard
from vestiary.serve.security import KeyRing
from vestiary.serve.settings import Settings

NAME = "vestiary.v1.FittingRoom"
_MESSAGE = 4 * 2**20  # bytes of the largest message that is taken in; photos come in several
_THREADS = MOST_WAITING + 16


@dataclass(frozen=True)
class Listening:
    """A server that has started; `port` is the one it listens on, also when 0 was asked for."""

    server: Any
    port: int
    living: Any

    def leave(self) -> None:
        """Tell those who ask that no more work should come here; calls are still answered."""
        self.living.enter_graceful_shutdown()

    def stop(self, grace: float) -> None:
        """Take no more calls, and give those under way so many seconds."""
        self.server.stop(grace).wait()


def start(service: Any, settings: Settings, keys: KeyRing | None = None, rates: Rates | None = None) -> Listening:
    """A server that has started on `settings.host` and `settings.grpc_port`; it counts requests in `rates`.

    Raises:
        InputError: the port cannot be opened.
        OptionError: there is no port, or certificate and key cannot serve.
    """
    if settings.grpc_port is None:
        raise OptionError("there is no port for gRPC.", hint="Set grpc_port, or --grpc-port.")
    rates = rates or Rates(settings.redis, settings.rate_per_minute)
    guard = Guard(settings, keys, rates)
    limits = [("grpc.max_receive_message_length", _MESSAGE), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(_THREADS, "grpc"), options=limits, maximum_concurrent_rpcs=2 * _THREADS)
    add_FittingRoomServicer_to_server(FittingRoom(service, settings, guard), server)
    living = health.HealthServicer()
    living.set("", health_pb2.HealthCheckResponse.SERVING)
    living.set(NAME, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(living, server)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    identity = credentials(settings)
    try:
        place = f"{host}:{settings.grpc_port}"
        port = server.add_secure_port(place, identity) if identity else server.add_insecure_port(place)
    except RuntimeError:
        hint = "Choose another with --grpc-port, or stop what listens there."
        raise InputError(f"port {settings.grpc_port} cannot be opened for gRPC.", hint=hint) from None
    server.start()
    return Listening(server, port, living)


def credentials(settings: Settings) -> Any:
    """The server's identity for TLS, or None where the settings name none.

    Raises:
        OptionError: only one of certificate and key is given, one cannot be read, or they are no pair.
    """
    paths = settings.grpc_certificate, settings.grpc_key
    if paths == (None, None):
        return None
    hint = "Check --grpc-certificate and --grpc-key."
    certificate, key = paths
    if certificate is None or key is None:
        raise OptionError("gRPC over TLS needs a certificate and its key.", hint=hint)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")  # gRPC would not say
        return grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        raise OptionError(f"the certificate or key of gRPC cannot serve: {reason}.", hint=hint) from None
