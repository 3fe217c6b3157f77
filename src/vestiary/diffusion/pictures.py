"""Pictures that options name: files of whoever types the command, but of a service only what its operator laid out."""

from __future__ import annotations

import os
from pathlib import Path

from vestiary.errors import ImageError, OptionError
from vestiary.images import Opened, open_picture

WEIGHTS_VARIABLE = "VESTIARY_DIFFUSION_WEIGHTS"  # set where others than this machine's owner choose options
PICTURES_VARIABLE = "VESTIARY_DIFFUSION_PICTURES"


def named_picture(option: str, name: str) -> Opened:
    """The picture that an option names.

    Where the variable `VESTIARY_DIFFUSION_PICTURES` names a folder, or `VESTIARY_DIFFUSION_WEIGHTS` is set, options
    come from others: they can only name files that lie in that folder, and cannot try which files there are elsewhere.

    Args:
        option: its name, for messages.
        name: path of a file; or the name of one in that folder.

    Raises:
        OptionError: there is no such picture, or it cannot be read.
    """
    folder = os.environ.get(PICTURES_VARIABLE, "")
    if not folder and os.environ.get(WEIGHTS_VARIABLE, ""):
        hint = f"Whoever runs it can name a folder of pictures in the variable {PICTURES_VARIABLE}."
        raise OptionError(f"{option} cannot name a picture on this machine.", hint=hint)
    if folder:
        there = sorted(path.name for path in Path(folder).glob("*") if path.is_file())
        if name not in there:
            hint = f"Choose one of: {', '.join(there)}." if there else "It has none."
            raise OptionError(f"{option}: this machine has no picture of the name {name!r}.", hint=hint)
    try:
        return open_picture(Path(folder, name) if folder else Path(name).expanduser())
    except ImageError as problem:
        raise OptionError(f"{option} cannot be read: {problem.message}", hint=problem.hint) from None
