"""Compile the service's .proto file into the Python files beside it; needs grpcio-tools (the dev extra).

python tools/protos.py          # writes fitting_room_pb2.py, .pyi and fitting_room_pb2_grpc.py
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

SOURCE = Path(__file__).resolve().parents[1] / "src"
PROTO = SOURCE / "vestiary" / "serve" / "rpc" / "fitting_room.proto"


def compile_to(folder: Path) -> int:
    """Write the generated files below a folder; protoc's exit code."""
    # Relative to src, so that the generated import is the package's own.
    places = [f"-I{SOURCE}", f"-I{files('grpc_tools') / '_proto'}"]
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    return int(protoc.main(["protoc", *places, *outputs, str(PROTO)]))


if __name__ == "__main__":
    sys.exit(compile_to(SOURCE))
