"""Every error that Vestiary raises on purpose.

    VestiaryError
    ├── InputError            exit 2   what was handed in cannot be used; the message says what to hand in instead
    │   ├── ImageError                 not an image, truncated, too large, too small, unsupported
    │   ├── PersonError                no person, seen from behind, lying down, body half missing
    │   ├── GarmentError               no garment, or one that this body cannot wear
    │   ├── OptionError                an option with a value that is not allowed
    │   ├── DatasetError               a data folder in another layout, or with files missing or broken
    │   ├── UnknownEngineError         no engine of that name; the message lists the names
    │   ├── UnsuitableError            a picture that this service does not take in or give out
    │   ├── TooLargeError              an upload beyond the service's limit
    │   ├── TooSlowError               an upload that took longer than the service waits
    │   ├── NotFoundError              nothing of that name, or it is somebody else's, or it was deleted
    │   ├── ConflictError              the same idempotency key with another request; or not in a state for it
    │   ├── NotAcceptableError         none of the formats that the caller can read is one that can be written
    │   ├── UnauthorizedError          a key is needed, and none or a wrong one was given
    │   └── ForbiddenError             the key is right, but not for this
    ├── BusyError             exit 9   too much work waits, or too many requests came; try again after `retry_after`
    ├── UnavailableError      exit 10  the database or the storage of the service cannot be reached
    ├── OutputError           exit 3   the result cannot be written where it should go
    ├── MissingExtraError     exit 4   an optional dependency is not installed; the message has the pip line
    ├── WeightsError          exit 5   a model file is missing, broken or cannot be fetched
    │   └── LicenceError               its licence has not been accepted yet; the message says how to
    ├── MemoryShortError      exit 11  the machine has too little memory; the message says what would fit
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


class UnsuitableError(InputError):
    """The picture is not one that this service takes in or gives out."""

    code, http_status = "unsuitable", 422


class TooLargeError(InputError):
    """The upload is larger than the service allows."""

    code, http_status = "too-large", 413


class TooSlowError(InputError):
    """The upload was not there in the time that the service allows."""

    code, http_status = "too-slow", 408


class NotFoundError(InputError):
    """There is nothing of that name here, or not for this caller."""

    code, http_status = "not-found", 404


class ConflictError(InputError):
    """The request contradicts an earlier one, or what it asks about is not in a state for it."""

    code, http_status = "conflict", 409


class NotAcceptableError(InputError):
    """No picture format that the caller accepts can be written here."""

    code, http_status = "not-acceptable", 406


class UnauthorizedError(InputError):
    """A key is needed, and none or a wrong one was given."""

    code, http_status = "unauthorized", 401


class ForbiddenError(InputError):
    """The caller's key is not for this."""

    code, http_status = "forbidden", 403


class BusyError(VestiaryError):
    """Too much work waits, or too many requests came; `retry_after` says in how many seconds to try again."""

    code, exit_code, http_status = "busy", 9, 429

    def __init__(self, message: str, *, hint: str = "", retry_after: float = 1.0) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class UnavailableError(VestiaryError):
    """The database or the storage of the service cannot be reached."""

    code, exit_code, http_status = "unavailable", 10, 503


class OutputError(VestiaryError):
    """The result cannot be written where it should go."""

    code, exit_code, http_status = "output", 3, 507


class MissingExtraError(VestiaryError):
    """An optional dependency is not installed."""

    code, exit_code, http_status = "extra-missing", 4, 501


class WeightsError(VestiaryError):
    """A model file is missing, broken, or cannot be fetched."""

    code, exit_code, http_status = "weights", 5, 503


class LicenceError(WeightsError):
    """The licence of a model's weights has not been accepted on this machine."""

    code, http_status = "licence", 451


class MemoryShortError(VestiaryError):
    """The machine has too little memory for what was asked; the message says what would fit."""

    code, exit_code, http_status = "memory", 11, 507


class EngineError(VestiaryError):
    """An engine failed on input that passed every check."""

    code, exit_code, http_status = "engine", 6, 500


class TrainingError(VestiaryError):
    """A training run cannot go on: the loss is not finite, or too many samples cannot be read."""

    code, exit_code, http_status = "training", 8, 500


class Cancelled(VestiaryError):
    """The caller's `on_step` asked to stop."""

    code, exit_code, http_status = "cancelled", 130, 499
