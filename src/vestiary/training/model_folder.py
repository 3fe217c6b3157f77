"""Trained diffusion networks as a model folder of diffusers' layout with a card, written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vestiary.errors import OutputError

CARD = "model.json"


@contextlib.contextmanager
def write_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which then takes its place under its real name.

    Raises:
        OutputError: something is in its place, or it cannot be written.
    """
    if folder.exists():
        raise OutputError(f"{folder} is there already.", hint="Choose another folder, or remove it first.")
    draft = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}.part")
    try:
        try:
            draft.mkdir(parents=True)
            yield draft
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise OutputError(f"{folder} cannot be written: {reason}.", hint="Free some space and run again.") from None


def write_card(folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Add `model.json`: what is known of the model, and the sum of each file of weights."""
    sums = {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*.safetensors"))}
    card = {**about, "sha256": sums}
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def sha256(path: Path) -> str:
    """Of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
