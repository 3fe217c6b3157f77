"""`python -m vestiary` is the command `vestiary`."""

from __future__ import annotations

import sys

from vestiary.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
