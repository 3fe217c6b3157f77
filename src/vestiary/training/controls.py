"""Control pictures for training: what the engine draws for its ControlNet branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestiary.errors import OptionError

if TYPE_CHECKING:
    from torch import Tensor

    from vestiary.encoding.frames import Frame
    from vestiary.types import Person


def control_picture(kind: str, person: Person, frame: Frame) -> Tensor:
    """`(3, H, W)` in 0..1 in the working frame.

    Raises:
        OptionError: nobody draws that kind.
    """
    raise OptionError(f"control pictures of {kind} are not drawn here.", hint="Take pose or parts.")
