"""Batches for training: which samples a step sees depends on its number alone, and unreadable ones are replaced."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator, Sized
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from vestiary.errors import ImageError, InputError, VestiaryError

T_co = TypeVar("T_co", covariant=True)
SUBSTITUTE = 1 << 40  # added to the index of a sample that cannot be read, so that another one is drawn
TRIES = 8


class Indexed(Protocol[T_co]):
    """Anything that answers to `samples[i]`."""

    def __getitem__(self, index: int, /) -> T_co: ...


class Finite(Indexed[T_co], Sized, Protocol[T_co]):
    """A data set that also has a length."""


class Item(NamedTuple):
    """One sample, why others were left out before it, and the error if there is no sample."""

    sample: Any
    skipped: list[str]
    problem: VestiaryError | None = None


class Batch(NamedTuple):
    """Samples stacked by key, and why others were left out."""

    samples: dict[str, Any]
    skipped: list[str]


class Shuffled(Dataset[T_co], Generic[T_co]):
    """A finite data set without end: every pass goes through all of it, in an order drawn from (seed, pass)."""

    def __init__(self, samples: Finite[T_co], seed: int) -> None:
        self.samples, self.seed = samples, seed
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))

    def __getitem__(self, index: int) -> T_co:
        turn, place = divmod(index, len(self.samples))
        if self._order[0] != turn:
            self._order = turn, np.random.default_rng((self.seed, turn)).permutation(len(self.samples))
        return self.samples[int(self._order[1][place])]


class Readable(Dataset[Item]):
    """Samples with a note of each one that could not be read and was replaced by another.

    An error is handed on as a value: raised in a worker, it would come out as the text of a traceback.
    """

    def __init__(self, samples: Indexed[Any]) -> None:
        self.samples = samples

    def __getitem__(self, index: int) -> Item:
        notes: list[str] = []
        for attempt in range(TRIES):
            try:
                return Item(self.samples[index + attempt * SUBSTITUTE], notes)
            except (ImageError, OSError) as problem:
                notes.append(problem.message if isinstance(problem, ImageError) else str(problem))
            except VestiaryError as problem:
                return Item(None, notes, problem)
        message = f"{TRIES} samples in a row cannot be read; the last one: {notes[-1]}"
        return Item(None, notes, InputError(message, hint="Check that the data folder is whole."))


class Places(Sampler[list[int]]):
    """The indices of one process's batches, without end, from the sample number `start` on."""

    def __init__(self, start: int, batch: int, process: int = 0, processes: int = 1) -> None:
        self.start, self.batch, self.process, self.processes = start, batch, process, processes

    def __iter__(self) -> Iterator[list[int]]:
        for number in itertools.count(self.process, self.processes):
            first = self.start + number * self.batch
            yield list(range(first, first + self.batch))


def batches(samples: Indexed[Any], places: Places, *, workers: int = 0, pin: bool = False) -> Iterator[Batch]:
    """The batches at these places, without end; the same ones for any number of workers.

    Raises:
        InputError: several samples in a row cannot be read.
        VestiaryError: what else the samples raise.
    """
    loader = DataLoader(
        Readable(samples),
        batch_sampler=places,
        num_workers=workers,
        collate_fn=_stack,
        worker_init_fn=_ready_worker if workers else None,
        pin_memory=pin,
        generator=torch.Generator(),  # else the loader would draw from the generator that training uses
    )
    for batch in loader:
        if isinstance(batch, VestiaryError):
            raise batch
        yield batch


def _stack(items: list[Item]) -> Batch | VestiaryError:
    for item in items:
        if item.problem is not None:
            return item.problem
    return Batch(default_collate([item.sample for item in items]), [note for item in items for note in item.skipped])


def _ready_worker(_: int) -> None:
    import cv2

    cv2.setNumThreads(0)  # OpenCV's threads do not survive a fork
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the training one ends the run
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
