"""Check that the built wheel carries everything that the package needs at run time: models, samples, type marker."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"


def main(folder: str) -> int:
    """Compare the newest wheel in a folder with the source tree; 1 if something is missing."""
    wheel = max(Path(folder).glob("vestiary-*.whl"), key=lambda path: path.stat().st_mtime)
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = (path.relative_to(SOURCE) for path in (SOURCE / "vestiary").rglob("*") if path.is_file())
    package = {
        path.as_posix() for path in files if not any(part.startswith((".", "__pycache__")) for part in path.parts)
    }
    missing = sorted(package - inside)
    for name in missing:
        print(f"{wheel.name} lacks {name}", file=sys.stderr)
    print(f"{wheel.name}: {len(inside)} files, {wheel.stat().st_size / 1e6:.1f} MB")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
