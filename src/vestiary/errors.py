"""Every error that Vestiary raises on purpose.

    VestiaryError
    ├── InputError            exit 2   what was handed in cannot be used; the message says what to hand in instead
    │   ├── ImageError                 not an image, truncated, too large, too small, unsupported
    │   ├── PersonError                no person, seen from behind, lying down, body half missing
    │   ├── GarmentError               no garment, or one that this body cannot wear
    │   ├── OptionError                an option with a value that is not allowed
    │   ├── DatasetError               a data folder in another layout, or with files missing or broken
    │   └── UnknownEngineError         no engine of that name; the message lists the names
    ├── OutputError           exit 3   the result cannot be written where it should go
    ├── MissingExtraError     exit 4   an optional dependency is not installed; the message has the pip line
    ├── WeightsError          exit 5   a model file is missing, broken or cannot be fetched
    ├── EngineError           exit 6   an engine failed on good input
    ├── TrainingError         exit 8   a training run cannot go on; what it saved stays
    └── Cancelled             exit 130 the caller asked to stop

Each class knows the exit code of the command line (`exit_code`), the status of the HTTP API (`http_status`) and a
stable machine-readable name (`code`). A message says what was wrong, what is allowed, and what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class VestiaryError(Exception):
    """Anything that Vestiary raises on purpose; catch this to catch all of them."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint

    def as_dict(self) -> dict[str, str]:
        """The error as plain data, the form that `--json` prints."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class InputError(VestiaryError):
    """What was handed in cannot be used."""

    code, exit_code, http_status = "input", 2, 400


class ImageError(InputError):
    """The picture cannot be read, or is too large or too small."""

    code, http_status = "image", 415


class PersonError(InputError):
    """The photo holds no person who can be fitted."""

    code, http_status = "person", 422


class GarmentError(InputError):
    """The photo holds no garment, or one that cannot go on this photo of a person."""

    code, http_status = "garment", 422


class OptionError(InputError):
    """An option has a value that is not allowed, or does not exist."""

    code, http_status = "option", 422


class DatasetError(InputError):
    """A data folder is in another layout than expected, or files of it are missing or broken."""

    code, http_status = "dataset", 422


class UnknownEngineError(InputError):
    """No engine has that name."""

    code, http_status = "engine-unknown", 404


class OutputError(VestiaryError):
    """The result cannot be written where it should go."""

    code, exit_code, http_status = "output", 3, 507


class MissingExtraError(VestiaryError):
    """An optional dependency is not installed."""

    code, exit_code, http_status = "extra-missing", 4, 501


class WeightsError(VestiaryError):
    """A model file is missing, broken, or cannot be fetched."""

    code, exit_code, http_status = "weights", 5, 503


class EngineError(VestiaryError):
    """An engine failed on input that passed every check."""

    code, exit_code, http_status = "engine", 6, 500


class TrainingError(VestiaryError):
    """A training run cannot go on: the loss is not finite, or too many samples cannot be read."""

    code, exit_code, http_status = "training", 8, 500


class Cancelled(VestiaryError):
    """The caller's `on_step` asked to stop."""

    code, exit_code, http_status = "cancelled", 130, 499
