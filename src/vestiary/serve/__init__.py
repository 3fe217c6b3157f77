"""The service: people, garments and fittings behind HTTP, WebSocket and gRPC, on top of `vestiary.api`."""
