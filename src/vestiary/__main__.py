"""The command `vestiary`, and `python -m vestiary`, which is the same."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; its exit code. Ctrl+C ends it without a traceback while it is still being loaded, too."""
    try:
        from vestiary.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("vestiary: stopped; nothing is half written.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
