"""Where published weights lie: in a folder of the user's, in the cache of the Hugging Face hub, or on the hub itself.

Nothing is fetched unless its commit is pinned. Downloads go through `huggingface_hub`, which resumes them and keeps
them in its own cache; a token for repositories with a gate is taken from `HF_TOKEN`, as that library does.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from vestiary.diffusion.published.specs import Part, Published, list_published
from vestiary.download import sha256_of
from vestiary.errors import MissingExtraError, OutputError, WeightsError
from vestiary.weights import cache_dir

EXTRA = 'pip install "vestiary[diffusion]"'
_verified: set[tuple[Path, int, str]] = set()


def by_hand(published: Published) -> Path:
    """The folder where users without a network put the files of a set, one sub-folder per part."""
    main = published.parts[0]
    return cache_dir() / "published" / (f"{published.name}@{main.revision}" if main.asked else published.name)


def here(published: Published) -> dict[str, Path] | None:
    """The folder of each part, if all of them are on this machine; asks no network."""
    folders = {part.name: _local(published, part) for part in published.parts if part.files}
    return None if None in folders.values() else {name: place for name, place in folders.items() if place}


def fetch(published: Published) -> dict[str, Path]:
    """The folder of each part; what is not here yet comes from the hub, at its pinned commit.

    Raises:
        WeightsError: a part cannot be had, or is not the file that it should be; the message says which files to put
            where.
        OutputError: the disk has too little room for it.
        MissingExtraError: `huggingface_hub` is not installed.
    """
    wanted = [part for part in published.parts if part.files]
    folders = {part.name: _local(published, part) for part in wanted}
    lost = [part for part in wanted if folders[part.name] is None]
    if lost:
        _check_disk(lost)
    found = {part.name: folders[part.name] or _download(published, part) for part in wanted}
    for part in wanted:
        _verify(part, found[part.name])
    return found


def parts_in(folder: Path) -> tuple[Published, dict[str, Path]] | None:
    """Which set a user's folder holds, with the folder of each of its parts; None if it holds none.

    Raises:
        WeightsError: it holds several sets.
    """
    held = [published for published in list_published().values() if _is_in(folder, published)]
    if len(held) > 1:
        names = ", ".join(p.name for p in held)
        raise WeightsError(f"{folder} holds several sets of weights: {names}.", hint="Give each a folder of its own.")
    if not held:
        return None
    return held[0], {part.name: folder / part.name for part in held[0].parts if part.files}


def _is_in(folder: Path, published: Published) -> bool:
    if any(part.missing(folder / part.name) for part in published.parts):
        return False
    config, channels = folder / "base" / "unet" / "config.json", published.traits.get("in_channels")
    # With a mask and without one, CatVTON has the same files; the UNet below tells them apart.
    return channels is None or json.loads(config.read_text(encoding="utf-8")).get("in_channels") == channels


def expected_files(published: Published, part: Part) -> str:
    """Which files of a part go where, in words."""
    names = ", ".join(pattern for pattern in part.patterns)
    return f"{names} of {part.repo}{f'@{part.revision}' if part.revision else ''} into {by_hand(published) / part.name}"


def _local(published: Published, part: Part) -> Path | None:
    own = by_hand(published) / part.name
    if not part.missing(own):
        return own
    if not part.revision:
        return None
    cached = _cached(part)
    usable = cached and not part.missing(cached) and not published.traits.get("one_folder")
    return cached if usable else None


def _cached(part: Part) -> Path | None:
    """The part's folder in the hub's own cache."""
    try:
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name
    except ImportError:
        return None
    name = repo_folder_name(repo_id=part.repo, repo_type="model")
    place = Path(constants.HF_HUB_CACHE) / name / "snapshots" / part.revision
    return place if place.is_dir() else None


def _download(published: Published, part: Part) -> Path:
    hint = f"Go online, or put {expected_files(published, part)}."
    if not part.revision:
        raise WeightsError(
            f"{published.name} needs {part.repo}, and no commit of it is pinned.",
            hint=f"Name one: {published.name}@<the 40 digits of the commit>. Or put {expected_files(published, part)}.",
        )
    from huggingface_hub import snapshot_download

    try:
        own = by_hand(published) / part.name if published.traits.get("one_folder") else None
        place = Path(snapshot_download(part.repo, revision=part.revision, allow_patterns=part.patterns, local_dir=own))
    except Exception as problem:  # its errors and httpx's share no class
        raise WeightsError(f"{part.repo} cannot be fetched: {_reason(problem)}.", hint=hint) from None
    if missing := part.missing(place):
        raise WeightsError(f"{part.repo} came without {', '.join(missing)}.", hint=hint)
    return place


def _reason(problem: Exception) -> str:
    name = type(problem).__name__
    known: Mapping[str, str] = {
        "GatedRepoError": "its owner lets only those in who accepted the terms on its page; do that and set HF_TOKEN",
        "RepositoryNotFoundError": "there is no such repository, or it is not open to this HF_TOKEN",
        "RevisionNotFoundError": "it has no such commit",
        "LocalEntryNotFoundError": "the hub cannot be reached",
        "OfflineModeIsEnabled": "HF_HUB_OFFLINE forbids it",
    }
    return known.get(name) or (str(problem).splitlines() or [name])[0].rstrip(".") or name


def _verify(part: Part, folder: Path) -> None:
    """Hold the files whose hash is known against it, once per process."""
    for file, wanted in part.sha256.items():
        place = (folder / file).resolve()
        key = (place, place.stat().st_mtime_ns, wanted)
        if key in _verified:
            continue
        if (found := sha256_of(place)) != wanted:
            raise WeightsError(
                f"{folder / file} is not the published file: its SHA-256 is {found}, not {wanted}.",
                hint="Delete it and fetch it again.",
            )
        _verified.add(key)


def _check_disk(parts: list[Part]) -> None:
    try:
        from huggingface_hub import constants
    except ImportError:
        raise MissingExtraError("huggingface_hub is not installed.", hint=EXTRA) from None
    place = Path(constants.HF_HUB_CACHE)
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    needed, free = sum(part.bytes for part in parts), shutil.disk_usage(existing).free
    if needed > free:
        raise OutputError(
            f"{place} has {free / 1e9:.1f} GB free, and {', '.join(part.repo for part in parts)} take "
            f"{needed / 1e9:.1f} GB.",
            hint="Free some space, or set HF_HOME to a larger disk.",
        )
