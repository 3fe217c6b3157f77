"""The shop's button `<vestiary-try-on>`: plain JavaScript in four files, sent as one script."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
_FILES = ("words.js", "looks.js", "room.js", "element.js")


@cache
def script() -> str:
    """The whole button as one classic script, which leaves no name but `vestiary-try-on` in the shop's page."""
    parts = [(FOLDER / name).read_text(encoding="utf-8") for name in _FILES]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"
