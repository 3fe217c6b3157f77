"""Try-on models that others published: where their weights are, what their licences ask, and how they are loaded.

No weights come with Vestiary. docs/published.md tells how to get them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vestiary.errors import OptionError, WeightsError

if TYPE_CHECKING:
    from vestiary.diffusion.model import TryOnModel
    from vestiary.diffusion.published.specs import Published

__all__ = ["check", "locate", "open_model"]


def open_model(name_or_folder: str, *, dtype: str = "float32", device: str = "cpu", accept: bool = False) -> TryOnModel:
    """A try-on model for the engine `diffusion`.

    Args:
        name_or_folder: a name or hub id from `specs.list_published`, with `@` and a full commit hash for another commit
            than the pinned one; a folder with the parts of such a set; or a model folder of ours.
        dtype: "float32", "float16" or "bfloat16".
        device: "cpu", "cuda", "cuda:N" or "mps".
        accept: take the licences as accepted, for this call alone.

    Raises:
        LicenceError: the licences of the weights are not accepted yet.
        MemoryShortError: the weights do not fit into the memory that is free; nothing was fetched or loaded.
        WeightsError: no such weights, they cannot be had, or they are not what their architecture needs.
        OptionError: these weights run in another engine.
    """
    from vestiary.diffusion.card import CARD
    from vestiary.diffusion.model import TryOnModel
    from vestiary.diffusion.published import catvton

    if (Path(name_or_folder) / CARD).is_file():
        return TryOnModel.load(name_or_folder, dtype=dtype, device=device)
    published, folders = locate(name_or_folder, engine="diffusion", dtype=dtype, device=device, accept=accept)
    return catvton.load(published, folders, dtype=dtype, device=device)


def locate(
    name_or_folder: str, *, engine: str, dtype: str, device: str, accept: bool = False
) -> tuple[Published, dict[str, Path]]:
    """A set of published weights and the folder of each of its parts, fetched if need be, its licences accepted.

    Args:
        name_or_folder: as for `open_model`.
        engine: that asks; each set runs in one engine.
        dtype, device: that it will be loaded in and on, to see whether it fits.
        accept: take the licences as accepted, for this call alone.

    Raises:
        As `open_model`.
    """
    from vestiary.diffusion.published import hub, room

    published, folders = _known(name_or_folder, engine=engine, accept=accept)
    room.require(published, dtype=dtype, device=device, folders=folders or hub.here(published))
    return published, folders or hub.fetch(published)


def check(name_or_folder: str, *, engine: str) -> None:
    """Nothing, where weights can be opened as far as one sees without loading or fetching them; needs no PyTorch.

    Args:
        name_or_folder: as for `open_model`.
        engine: that asks; each set of published weights runs in one engine.

    Raises:
        As `open_model`, but for what only opening tells.
    """
    from vestiary.diffusion.card import CARD, check_folder

    try:
        if engine == "diffusion" and (Path(name_or_folder) / CARD).is_file():
            check_folder(Path(name_or_folder))
        else:
            _known(name_or_folder, engine=engine, accept=False)
    except OSError as problem:  # too long for a name, or not for this user
        hint = "Name a model folder or published weights: see `vestiary weights published`."
        raise WeightsError(f"weights {name_or_folder[:80]!r} cannot be read: {problem.strerror}.", hint=hint) from None


def _known(name_or_folder: str, *, engine: str, accept: bool) -> tuple[Published, dict[str, Path] | None]:
    """A set of published weights whose licences are accepted; and its parts, if a folder of the user's was named."""
    from vestiary.diffusion.published import hub, licences, specs

    folder = Path(name_or_folder)
    found = hub.parts_in(folder) if folder.is_dir() else None
    if folder.is_dir() and found is None:
        names = ", ".join(specs.list_published())
        raise WeightsError(
            f"{folder} holds neither a model of ours (no model.json) nor all parts of published weights.",
            hint=f"See docs/published.md for the files of: {names}.",
        )
    published = found[0] if found else specs.find(name_or_folder)
    if published.engine != engine:
        raise OptionError(
            f"{published.name} does not run in the engine {engine}.", hint=f"Choose the engine {published.engine}."
        )
    licences.require(published, accept=accept)
    return published, found[1] if found else None
