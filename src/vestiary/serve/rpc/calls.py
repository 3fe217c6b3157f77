"""The calls of the .proto file: each checks the caller, asks the service, and answers with its record."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from vestiary.errors import BusyError, Cancelled, InputError, NotAcceptableError, OptionError, TooLargeError
from vestiary.images import encode_picture
from vestiary.serve.finish import finish_picture
from vestiary.serve.fittings import LONGEST_WAIT
from vestiary.serve.idempotency import Ledger, digest
from vestiary.serve.negotiate import Format, formats
from vestiary.serve.problems import error_of
from vestiary.serve.records import FittingRecord
from vestiary.serve.rpc import fitting_room_pb2 as pb
from vestiary.serve.rpc import messages
from vestiary.serve.rpc.fitting_room_pb2_grpc import FittingRoomServicer
from vestiary.serve.rpc.guard import Guard, told
from vestiary.serve.settings import Settings
from vestiary.types import CATEGORIES

MOST_WAITING = 48  # calls that may each hold a thread while they wait: for changes, for a picture, for an upload
_CHUNK = 256 * 1024  # bytes of a picture in one message


class FittingRoom(FittingRoomServicer):
    """The calls of the .proto file, over one `Service`."""

    def __init__(self, service: Any, settings: Settings, guard: Guard) -> None:
        self._service, self._settings, self._guard = service, settings, guard
        self._ledger = Ledger(service.database)
        self._places = threading.BoundedSemaphore(MOST_WAITING)

    def AddPerson(self, request_iterator: Iterator[Any], context: Any) -> Any:
        with told(context), self._patiently(context, "write") as owner:
            head, photo = self._upload(request_iterator, context)
            number, keep = messages.given(head, "number"), messages.given(head, "keep_hours")
            asked = digest("people", photo, number, keep)
            make = lambda: self._service.add_person(owner, photo, number=number, keep_hours=keep).id  # noqa: E731
            return messages.person(self._service.person(owner, self._once(context, owner, asked, make)))

    def GetPerson(self, request: Any, context: Any) -> Any:
        with told(context):
            return messages.person(self._service.person(self._guard.owner(context, "read"), request.id))

    def ListPeople(self, request: Any, context: Any) -> Any:
        with told(context):
            found = self._service.people(self._guard.owner(context, "read"))
            return pb.People(people=[messages.person(record) for record in found])

    def DeletePerson(self, request: Any, context: Any) -> Any:
        with told(context):
            self._service.delete_person(self._guard.owner(context, "delete"), request.id)
            return Empty()

    def AddGarment(self, request_iterator: Iterator[Any], context: Any) -> Any:
        with told(context), self._patiently(context, "write") as owner:
            head, photo = self._upload(request_iterator, context)
            category, keep = messages.given(head, "category"), messages.given(head, "keep_hours")
            if category is not None and category not in CATEGORIES:
                raise OptionError(f"no category is called {category!r}.", hint=f"Choose of: {', '.join(CATEGORIES)}.")
            asked = digest("garments", photo, category, keep)
            make = lambda: self._service.add_garment(owner, photo, category=category, keep_hours=keep).id  # noqa: E731
            return messages.garment(self._service.garment(owner, self._once(context, owner, asked, make)))

    def GetGarment(self, request: Any, context: Any) -> Any:
        with told(context):
            return messages.garment(self._service.garment(self._guard.owner(context, "read"), request.id))

    def ListGarments(self, request: Any, context: Any) -> Any:
        with told(context):
            found = self._service.garments(self._guard.owner(context, "read"))
            return pb.Garments(garments=[messages.garment(record) for record in found])

    def DeleteGarment(self, request: Any, context: Any) -> Any:
        with told(context):
            self._service.delete_garment(self._guard.owner(context, "delete"), request.id)
            return Empty()

    def AddFitting(self, request: Any, context: Any) -> Any:
        with told(context):
            owner = self._guard.owner(context, "write")
            return messages.fitting(self._service.fitting(owner, self._add(request, context, owner)))

    def Fit(self, request: Any, context: Any) -> Any:
        with told(context), self._patiently(context, "write") as owner:
            format = self._format(request.format)
            patience = messages.given(request, "timeout")
            if patience is None:
                patience = self._settings.quick_seconds
            if not 0 <= patience <= LONGEST_WAIT:
                raise OptionError(f"timeout {patience:g} is not possible.", hint=f"Wait 0 to {LONGEST_WAIT:g} seconds.")
            id = self._add(request.fitting, context, owner)
            record = self._wait(owner, id, patience, context)
            if not record.finished:
                context.set_trailing_metadata((("vestiary-fitting", id),))
                context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"fitting {id} is not finished yet; it goes on.")
            return pb.FitReply(fitting=messages.fitting(record), picture=self._picture(owner, record, format))

    def WatchFitting(self, request: Any, context: Any) -> Iterator[Any]:
        with told(context), self._patiently(context, "read") as owner:
            gone = _gone(context)
            for change in self._service.watch(owner, request.id, gone):
                if gone.is_set():
                    return
                if isinstance(change, FittingRecord):
                    yield pb.FittingEvent(fitting=messages.fitting(change))
                else:
                    yield pb.FittingEvent(preview=encode_picture(change.image, "jpeg", quality=80))

    def GetFitting(self, request: Any, context: Any) -> Any:
        with told(context):
            return messages.fitting(self._service.fitting(self._guard.owner(context, "read"), request.id))

    def ListFittings(self, request: Any, context: Any) -> Any:
        with told(context):
            owner = self._guard.owner(context, "read")
            found = self._service.fittings(owner, batch=messages.given(request, "batch"))
            return pb.Fittings(fittings=[messages.fitting(record) for record in found])

    def CancelFitting(self, request: Any, context: Any) -> Any:
        with told(context):
            return messages.fitting(self._service.cancel(self._guard.owner(context, "write"), request.id))

    def DeleteFitting(self, request: Any, context: Any) -> Any:
        with told(context):
            self._service.delete_fitting(self._guard.owner(context, "delete"), request.id)
            return Empty()

    def GetPicture(self, request: Any, context: Any) -> Iterator[Any]:
        with told(context):
            owner = self._guard.owner(context, "read")
            format = self._format(request.format)
            data = self._picture(owner, self._service.fitting(owner, request.id), format)
            for begin in range(0, len(data), _CHUNK):
                yield pb.Chunk(data=data[begin : begin + _CHUNK])

    def AddBatch(self, request: Any, context: Any) -> Any:
        with told(context):
            owner = self._guard.owner(context, "write")
            pairs = [(pair.person, list(pair.garments)) for pair in request.pairs]
            wanted = _wanted(request)
            asked = digest("batches", pairs, wanted)
            note = self._ledger.note(owner, _key(context))
            make = lambda: self._service.add_batch(owner, pairs, note=note, **wanted).id  # noqa: E731
            return messages.batch(self._service.batch(owner, self._once(context, owner, asked, make)))

    def GetBatch(self, request: Any, context: Any) -> Any:
        with told(context):
            return messages.batch(self._service.batch(self._guard.owner(context, "read"), request.id))

    def DeleteBatch(self, request: Any, context: Any) -> Any:
        with told(context):
            self._service.delete_batch(self._guard.owner(context, "delete"), request.id)
            return Empty()

    def ListEngines(self, request: Any, context: Any) -> Any:
        with told(context):
            self._guard.owner(context, "read")
            return pb.Engines(engines=[messages.engine(record) for record in self._service.engines()])

    def Erase(self, request: Any, context: Any) -> Any:
        with told(context):
            return pb.Erased(things=self._service.erase(self._guard.owner(context, "delete")))

    @contextlib.contextmanager
    def _patiently(self, context: Any, scope: str) -> Iterator[str]:
        """The owner for a call that waits: only so many may, so that threads are left for the others.

        Raises:
            BusyError: enough calls wait already.
        """
        owner = self._guard.owner(context, scope)
        if not self._places.acquire(blocking=False):
            hint = "Ask again later; AddFitting and GetFitting do not wait."
            raise BusyError(f"{MOST_WAITING} calls wait already.", hint=hint, retry_after=5.0)
        try:
            yield owner
        finally:
            self._places.release()

    def _upload(self, pieces: Iterator[Any], context: Any) -> tuple[Any, bytes]:
        """The first message, and the whole photo; a call that takes longer than `upload_seconds` is ended.

        Raises:
            InputError: no message at all.
            TooLargeError: more than `max_upload_mb`; the rest is not read.
        """
        patience = threading.Timer(self._settings.upload_seconds, context.cancel)
        patience.daemon = True
        patience.start()
        try:
            return self._received(pieces)
        finally:
            patience.cancel()

    def _received(self, pieces: Iterator[Any]) -> tuple[Any, bytes]:
        head = next(pieces, None)
        if head is None:
            raise InputError(
                "no photo was sent.", hint="Send the file's bytes in `data`, in as many messages as needed."
            )
        photo = bytearray()
        for piece in itertools.chain([head], pieces):
            photo += piece.data
            if len(photo) > self._settings.max_upload_mb * 1e6:
                hint = "Scale the picture down, or save it as JPEG."
                raise TooLargeError(f"the upload is larger than {self._settings.max_upload_mb:g} MB.", hint=hint)
        return head, bytes(photo)

    def _add(self, request: Any, context: Any, owner: str) -> str:
        """The id of a fitting that was asked for; the same one for the same idempotency key."""
        garments, wanted = list(request.garments), _wanted(request)
        note = self._ledger.note(owner, _key(context))
        make = lambda: self._service.add_fitting(owner, request.person, garments, note=note, **wanted).id  # noqa: E731
        return self._once(context, owner, digest("fittings", request.person, garments, wanted), make)

    def _once(self, context: Any, owner: str, asked: str, make: Callable[[], str]) -> str:
        return self._ledger.once(owner, _key(context), asked, make)

    def _wait(self, owner: str, id: str, patience: float, context: Any) -> FittingRecord:
        """The record when it is finished, or when patience ends. Who hangs up cancels the fitting."""
        gone = _gone(context)
        record: FittingRecord = self._service.wait(owner, id, patience, gone)
        if gone.is_set() and not record.finished:
            self._service.cancel(owner, id)
            raise Cancelled(f"fitting {id} was cancelled: nobody waits for it.")
        return record

    def _format(self, number: int) -> Format:
        format: Format = messages.picture_format(number)
        if format not in formats() or (format == "jxl" and self._settings.signs):
            raise NotAcceptableError("pictures cannot be written in that format here.", hint="Choose another one.")
        return format

    def _picture(self, owner: str, record: FittingRecord, format: Any) -> bytes:
        if record.error is not None:
            raise error_of(record.error)
        fitting = self._service.fitting_pictures(owner, record.id)
        return finish_picture(self._settings, fitting.image, fitting.mask, record, format)


def _key(context: Any) -> str | None:
    """The idempotency key of a call, if it has one."""
    key: str | None = dict(context.invocation_metadata()).get("idempotency-key")
    return key


def _gone(context: Any) -> threading.Event:
    """What is set when the call ends, because its caller has gone or it was answered."""
    gone = threading.Event()
    if not context.add_callback(gone.set):
        gone.set()
    return gone


def _wanted(request: Any) -> dict[str, Any]:
    return {
        "engine": request.engine or "embedded",
        "options": messages.options(request.options),
        "keep_hours": messages.given(request, "keep_hours"),
    }
