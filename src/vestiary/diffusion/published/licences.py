"""The licences of published weights: shown, accepted once per machine, and written into every picture's provenance.

What is accepted is kept in `licences.json` in the user's configuration folder (`VESTIARY_CONFIG` chooses another one):
the weights' name with the licences that were accepted. A set whose licences change has to be accepted again. Where
nobody can answer, in a container, `VESTIARY_ACCEPT_LICENCES` lists the names: `catvton,fashn-vton-1.5`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vestiary.diffusion.published.specs import Published
from vestiary.errors import LicenceError, OutputError
from vestiary.files import make_folder, write_file

ACCEPT_ENV = "VESTIARY_ACCEPT_LICENCES"


@dataclass(frozen=True)
class Licence:
    """A licence in a few words; the words that bind are at `url`."""

    title: str
    url: str
    commercial: bool
    says: str


LICENCES = {
    "cc-by-nc-sa-4.0": Licence(
        "Creative Commons Attribution-NonCommercial-ShareAlike 4.0",
        "https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode",
        False,
        "Name the authors; no commercial use; what you make of the weights is shared under the same licence.",
    ),
    "creativeml-openrail-m": Licence(
        "CreativeML Open RAIL-M",
        "https://huggingface.co/spaces/CompVis/stable-diffusion-license",
        True,
        "Commercial use is allowed; the uses listed in its attachment A are not, and who hands the weights on or "
        "offers them as a service binds its users to that list.",
    ),
    "flux-1-dev-non-commercial": Licence(
        "FLUX.1 [dev] Non-Commercial License",
        "https://huggingface.co/black-forest-labs/FLUX.1-Fill-dev/blob/main/LICENSE.md",
        False,
        "No commercial use of the weights or of what is made from them; the hub asks you to accept it there as well. "
        "The adapter was trained on VITON-HD, which is for research only.",
    ),
    "apache-2.0": Licence(
        "Apache License 2.0",
        "https://www.apache.org/licenses/LICENSE-2.0",
        True,
        "Commercial use is allowed; keep the notices.",
    ),
    "mit": Licence(
        "MIT License", "https://opensource.org/license/mit", True, "Commercial use is allowed; keep the notice."
    ),
    "nvidia-segformer": Licence(
        "NVIDIA Source Code License for SegFormer",
        "https://github.com/NVlabs/SegFormer/blob/master/LICENSE",
        False,
        "Research or evaluation only. The human parser that the package loads when it starts descends from SegFormer.",
    ),
}


def licences_of(published: Published) -> dict[str, Licence]:
    """Its licences by key, that of the main part first."""
    return {part.licence: LICENCES[part.licence] for part in published.parts}


def is_commercial(published: Published) -> bool:
    """Whether every one of its licences allows commercial use."""
    return all(licence.commercial for licence in licences_of(published).values())


def shown(published: Published) -> str:
    """The licences in words, for people, ending with how to accept them."""
    lines = [f"{published.name}: {published.summary}"]
    for part in published.parts:
        licence = LICENCES[part.licence]
        lines += [f"  {part.repo}: {licence.title}", f"    {licence.says}", f"    {licence.url}"]
    if not is_commercial(published):
        lines.append("Pictures made with these weights are for non-commercial use only; each one says so.")
    return "\n".join(lines)


def notice(published: Published) -> dict[str, Any]:
    """What a picture's provenance says of the weights that made it, JSON-ready."""
    allowed = is_commercial(published)
    return {
        "name": published.name,
        "parts": {part.repo: {"revision": part.revision, "licence": part.licence} for part in published.parts},
        "commercial_use": allowed,
        "notice": "" if allowed else "Made with weights that are licensed for non-commercial use only.",
    }


def is_accepted(published: Published) -> bool:
    """Whether its licences, as they are now, were accepted on this machine or by the environment."""
    if published.name in {name.strip() for name in os.environ.get(ACCEPT_ENV, "").split(",")}:
        return True
    entry = _read().get(published.name, {})
    return set(licences_of(published)) <= set(entry.get("licences", ()))


def accept(published: Published) -> Path:
    """Write down that the user accepts its licences; the file that says so.

    Raises:
        OutputError: the file cannot be written.
    """
    entries = _read()
    entries[published.name] = {
        "licences": sorted(licences_of(published)),
        "accepted": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    make_folder(record().parent)
    write_file(record(), (json.dumps(entries, indent=2) + "\n").encode())
    return record()


def require(published: Published, *, accept: bool = False) -> None:
    """Make sure that its licences are accepted: before, by the environment, or for this call by `accept`.

    Raises:
        LicenceError: they are not; the message names them and says how to accept them.
    """
    if accept or is_accepted(published):
        return
    titles = "; ".join(licence.title for licence in licences_of(published).values())
    limit = "" if is_commercial(published) else " For non-commercial use only."
    raise LicenceError(
        f"the licences of {published.name} are not accepted yet: {titles}.{limit}",
        hint=f"Read and accept them: vestiary weights accept {published.name} (or set {ACCEPT_ENV}={published.name}).",
    )


def record() -> Path:
    """The file of what was accepted."""
    if chosen := os.environ.get("VESTIARY_CONFIG"):
        return Path(chosen).expanduser() / "licences.json"
    import platformdirs

    return Path(platformdirs.user_config_dir("vestiary", appauthor=False)) / "licences.json"


def _read() -> dict[str, Any]:
    try:
        entries = json.loads(record().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        hint = "Delete it and accept the licences again."
        raise OutputError(f"{record()} cannot be read: {problem}.", hint=hint) from None
    return entries if isinstance(entries, dict) else {}
