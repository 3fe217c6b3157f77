"""The service's records as protobuf messages, and requests as the values that the service takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from vestiary.errors import OptionError
from vestiary.serve.records import BatchRecord, EngineRecord, FittingRecord, GarmentRecord, PersonRecord
from vestiary.serve.rpc import fitting_room_pb2 as pb

FORMATS = {0: "webp", 1: "webp", 2: "jpeg", 3: "png", 4: "avif", 5: "jxl"}
_STATES = {name.removeprefix("STATE_").lower(): number for name, number in pb.State.items()}


def person(record: PersonRecord) -> Any:
    """A scanned person."""
    return _message(pb.Person, record)


def garment(record: GarmentRecord) -> Any:
    """A garment that was read."""
    return _message(pb.Garment, record)


def fitting(record: FittingRecord) -> Any:
    """A fitting, asked for, under way, or finished."""
    message = _message(pb.Fitting, record, leave={"state", "options", "provenance", "progress", "error"})
    message.state = _STATES[record.state]
    message.options.CopyFrom(_struct(record.options))
    message.provenance.CopyFrom(_struct(record.provenance))
    message.progress.CopyFrom(pb.Progress(**record.progress.model_dump()))
    if record.error is not None:
        message.error.CopyFrom(pb.Problem(**record.error.model_dump()))
    return message


def batch(record: BatchRecord) -> Any:
    """A batch, counted by state."""
    message = _message(pb.Batch, record, leave={"states"})
    for state, count in record.states.items():
        message.states.add(state=_STATES[state], fittings=count)
    return message


def engine(record: EngineRecord) -> Any:
    """An engine with the JSON schema of its options."""
    message = _message(pb.Engine, record, leave={"options"})
    message.options.CopyFrom(_struct(record.options))
    return message


def options(message: Any) -> dict[str, Any]:
    """An engine's options. JSON's numbers are all floats in protobuf: whole ones become integers again."""
    found = _whole(MessageToDict(message))
    assert isinstance(found, dict)
    return found


def given(message: Any, name: str) -> Any:
    """An optional field, or None where it was not set."""
    return getattr(message, name) if message.HasField(name) else None


def picture_format(number: int) -> Any:
    """The name of a picture format; WebP unless told otherwise.

    Raises:
        OptionError: a number of no format.
    """
    if number not in FORMATS:
        raise OptionError(f"no picture format has the number {number}.", hint="See PictureFormat in the .proto file.")
    return FORMATS[number]


def _message(kind: Any, record: Any, leave: set[str] | None = None) -> Any:
    """A message of the fields that have the same name, with times as timestamps."""
    values = record.model_dump(exclude={"created", "expires", *(leave or ())}, exclude_none=True)
    message = kind(**values)
    for name in ("created", "expires"):
        if hasattr(record, name):
            getattr(message, name).FromDatetime(getattr(record, name))
    return message


def _struct(values: Mapping[str, Any]) -> Any:
    message = Struct()
    message.update(_plain(values))
    return message


def _plain(value: Any) -> Any:
    """Without tuples, which protobuf's Struct does not know."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
