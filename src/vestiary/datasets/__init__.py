"""Data sets on disk as sequences of samples: the layouts that the field uses, and our own.

    >>> from vestiary.datasets import open_dataset
    >>> test = open_dataset("VITON-HD", split="test", pairs="unpaired")    # doctest: +SKIP
    >>> test[0].read_person().shape                                        # doctest: +SKIP
    (1024, 768, 3)

Which files each layout has, and what their labels mean: docs/data/layouts.md.
"""

from __future__ import annotations

from vestiary.datasets.opening import LAYOUTS, detect, open_dataset
from vestiary.datasets.sample import Dataset, Pairing, Region, Sample

__all__ = ["LAYOUTS", "Dataset", "Pairing", "Region", "Sample", "detect", "open_dataset"]
