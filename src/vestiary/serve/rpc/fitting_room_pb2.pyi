import datetime

from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PictureFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PICTURE_FORMAT_UNSPECIFIED: _ClassVar[PictureFormat]
    PICTURE_FORMAT_WEBP: _ClassVar[PictureFormat]
    PICTURE_FORMAT_JPEG: _ClassVar[PictureFormat]
    PICTURE_FORMAT_PNG: _ClassVar[PictureFormat]
    PICTURE_FORMAT_AVIF: _ClassVar[PictureFormat]
    PICTURE_FORMAT_JXL: _ClassVar[PictureFormat]

class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATE_UNSPECIFIED: _ClassVar[State]
    STATE_QUEUED: _ClassVar[State]
    STATE_RUNNING: _ClassVar[State]
    STATE_DONE: _ClassVar[State]
    STATE_FAILED: _ClassVar[State]
    STATE_CANCELLED: _ClassVar[State]
PICTURE_FORMAT_UNSPECIFIED: PictureFormat
PICTURE_FORMAT_WEBP: PictureFormat
PICTURE_FORMAT_JPEG: PictureFormat
PICTURE_FORMAT_PNG: PictureFormat
PICTURE_FORMAT_AVIF: PictureFormat
PICTURE_FORMAT_JXL: PictureFormat
STATE_UNSPECIFIED: State
STATE_QUEUED: State
STATE_RUNNING: State
STATE_DONE: State
STATE_FAILED: State
STATE_CANCELLED: State

class Name(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class AddPersonRequest(_message.Message):
    __slots__ = ("number", "keep_hours", "data")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KEEP_HOURS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    number: int
    keep_hours: float
    data: bytes
    def __init__(self, number: _Optional[int] = ..., keep_hours: _Optional[float] = ..., data: _Optional[bytes] = ...) -> None: ...

class AddGarmentRequest(_message.Message):
    __slots__ = ("category", "keep_hours", "data")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    KEEP_HOURS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    category: str
    keep_hours: float
    data: bytes
    def __init__(self, category: _Optional[str] = ..., keep_hours: _Optional[float] = ..., data: _Optional[bytes] = ...) -> None: ...

class AddFittingRequest(_message.Message):
    __slots__ = ("person", "garments", "engine", "options", "keep_hours")
    PERSON_FIELD_NUMBER: _ClassVar[int]
    GARMENTS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    KEEP_HOURS_FIELD_NUMBER: _ClassVar[int]
    person: str
    garments: _containers.RepeatedScalarFieldContainer[str]
    engine: str
    options: _struct_pb2.Struct
    keep_hours: float
    def __init__(self, person: _Optional[str] = ..., garments: _Optional[_Iterable[str]] = ..., engine: _Optional[str] = ..., options: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., keep_hours: _Optional[float] = ...) -> None: ...

class FitRequest(_message.Message):
    __slots__ = ("fitting", "format", "timeout")
    FITTING_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    fitting: AddFittingRequest
    format: PictureFormat
    timeout: float
    def __init__(self, fitting: _Optional[_Union[AddFittingRequest, _Mapping]] = ..., format: _Optional[_Union[PictureFormat, str]] = ..., timeout: _Optional[float] = ...) -> None: ...

class FitReply(_message.Message):
    __slots__ = ("fitting", "picture")
    FITTING_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    fitting: Fitting
    picture: bytes
    def __init__(self, fitting: _Optional[_Union[Fitting, _Mapping]] = ..., picture: _Optional[bytes] = ...) -> None: ...

class GetPictureRequest(_message.Message):
    __slots__ = ("id", "format")
    ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    id: str
    format: PictureFormat
    def __init__(self, id: _Optional[str] = ..., format: _Optional[_Union[PictureFormat, str]] = ...) -> None: ...

class ListFittingsRequest(_message.Message):
    __slots__ = ("batch",)
    BATCH_FIELD_NUMBER: _ClassVar[int]
    batch: str
    def __init__(self, batch: _Optional[str] = ...) -> None: ...

class AddBatchRequest(_message.Message):
    __slots__ = ("pairs", "engine", "options", "keep_hours")
    class Pair(_message.Message):
        __slots__ = ("person", "garments")
        PERSON_FIELD_NUMBER: _ClassVar[int]
        GARMENTS_FIELD_NUMBER: _ClassVar[int]
        person: str
        garments: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, person: _Optional[str] = ..., garments: _Optional[_Iterable[str]] = ...) -> None: ...
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    KEEP_HOURS_FIELD_NUMBER: _ClassVar[int]
    pairs: _containers.RepeatedCompositeFieldContainer[AddBatchRequest.Pair]
    engine: str
    options: _struct_pb2.Struct
    keep_hours: float
    def __init__(self, pairs: _Optional[_Iterable[_Union[AddBatchRequest.Pair, _Mapping]]] = ..., engine: _Optional[str] = ..., options: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., keep_hours: _Optional[float] = ...) -> None: ...

class Person(_message.Message):
    __slots__ = ("id", "created", "expires", "width", "height", "facing", "warnings", "timings")
    class TimingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FACING_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    id: str
    created: _timestamp_pb2.Timestamp
    expires: _timestamp_pb2.Timestamp
    width: int
    height: int
    facing: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    timings: _containers.ScalarMap[str, float]
    def __init__(self, id: _Optional[str] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., facing: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ..., timings: _Optional[_Mapping[str, float]] = ...) -> None: ...

class People(_message.Message):
    __slots__ = ("people",)
    PEOPLE_FIELD_NUMBER: _ClassVar[int]
    people: _containers.RepeatedCompositeFieldContainer[Person]
    def __init__(self, people: _Optional[_Iterable[_Union[Person, _Mapping]]] = ...) -> None: ...

class Garment(_message.Message):
    __slots__ = ("id", "created", "expires", "category", "sleeve", "neckline", "pattern", "length", "colours", "warnings", "timings")
    class TimingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    SLEEVE_FIELD_NUMBER: _ClassVar[int]
    NECKLINE_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    COLOURS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    id: str
    created: _timestamp_pb2.Timestamp
    expires: _timestamp_pb2.Timestamp
    category: str
    sleeve: str
    neckline: str
    pattern: str
    length: str
    colours: _containers.RepeatedScalarFieldContainer[str]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    timings: _containers.ScalarMap[str, float]
    def __init__(self, id: _Optional[str] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., category: _Optional[str] = ..., sleeve: _Optional[str] = ..., neckline: _Optional[str] = ..., pattern: _Optional[str] = ..., length: _Optional[str] = ..., colours: _Optional[_Iterable[str]] = ..., warnings: _Optional[_Iterable[str]] = ..., timings: _Optional[_Mapping[str, float]] = ...) -> None: ...

class Garments(_message.Message):
    __slots__ = ("garments",)
    GARMENTS_FIELD_NUMBER: _ClassVar[int]
    garments: _containers.RepeatedCompositeFieldContainer[Garment]
    def __init__(self, garments: _Optional[_Iterable[_Union[Garment, _Mapping]]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("code", "message", "hint")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    hint: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("step", "total", "name")
    STEP_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    step: int
    total: int
    name: str
    def __init__(self, step: _Optional[int] = ..., total: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...

class Fitting(_message.Message):
    __slots__ = ("id", "state", "created", "expires", "person", "garments", "engine", "options", "batch", "progress", "error", "layers", "warnings", "timings", "provenance")
    class TimingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    GARMENTS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: State
    created: _timestamp_pb2.Timestamp
    expires: _timestamp_pb2.Timestamp
    person: str
    garments: _containers.RepeatedScalarFieldContainer[str]
    engine: str
    options: _struct_pb2.Struct
    batch: str
    progress: Progress
    error: Problem
    layers: _containers.RepeatedScalarFieldContainer[str]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    timings: _containers.ScalarMap[str, float]
    provenance: _struct_pb2.Struct
    def __init__(self, id: _Optional[str] = ..., state: _Optional[_Union[State, str]] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., person: _Optional[str] = ..., garments: _Optional[_Iterable[str]] = ..., engine: _Optional[str] = ..., options: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., batch: _Optional[str] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., error: _Optional[_Union[Problem, _Mapping]] = ..., layers: _Optional[_Iterable[str]] = ..., warnings: _Optional[_Iterable[str]] = ..., timings: _Optional[_Mapping[str, float]] = ..., provenance: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Fittings(_message.Message):
    __slots__ = ("fittings",)
    FITTINGS_FIELD_NUMBER: _ClassVar[int]
    fittings: _containers.RepeatedCompositeFieldContainer[Fitting]
    def __init__(self, fittings: _Optional[_Iterable[_Union[Fitting, _Mapping]]] = ...) -> None: ...

class FittingEvent(_message.Message):
    __slots__ = ("fitting", "preview")
    FITTING_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    fitting: Fitting
    preview: bytes
    def __init__(self, fitting: _Optional[_Union[Fitting, _Mapping]] = ..., preview: _Optional[bytes] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("id", "created", "expires", "states", "fittings")
    class Count(_message.Message):
        __slots__ = ("state", "fittings")
        STATE_FIELD_NUMBER: _ClassVar[int]
        FITTINGS_FIELD_NUMBER: _ClassVar[int]
        state: State
        fittings: int
        def __init__(self, state: _Optional[_Union[State, str]] = ..., fittings: _Optional[int] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    FITTINGS_FIELD_NUMBER: _ClassVar[int]
    id: str
    created: _timestamp_pb2.Timestamp
    expires: _timestamp_pb2.Timestamp
    states: _containers.RepeatedCompositeFieldContainer[Batch.Count]
    fittings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., states: _Optional[_Iterable[_Union[Batch.Count, _Mapping]]] = ..., fittings: _Optional[_Iterable[str]] = ...) -> None: ...

class Engine(_message.Message):
    __slots__ = ("name", "summary", "licence", "installed", "install", "options", "needs_garment")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    INSTALLED_FIELD_NUMBER: _ClassVar[int]
    INSTALL_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    NEEDS_GARMENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    summary: str
    licence: str
    installed: bool
    install: str
    options: _struct_pb2.Struct
    needs_garment: bool
    def __init__(self, name: _Optional[str] = ..., summary: _Optional[str] = ..., licence: _Optional[str] = ..., installed: _Optional[bool] = ..., install: _Optional[str] = ..., options: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., needs_garment: _Optional[bool] = ...) -> None: ...

class Engines(_message.Message):
    __slots__ = ("engines",)
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    engines: _containers.RepeatedCompositeFieldContainer[Engine]
    def __init__(self, engines: _Optional[_Iterable[_Union[Engine, _Mapping]]] = ...) -> None: ...

class Erased(_message.Message):
    __slots__ = ("things",)
    THINGS_FIELD_NUMBER: _ClassVar[int]
    things: int
    def __init__(self, things: _Optional[int] = ...) -> None: ...
