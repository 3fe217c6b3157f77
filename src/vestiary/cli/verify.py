"""`vestiary verify`: what a picture says of where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vestiary.cli import options, say
from vestiary.cli.main import EXIT_SOME_FAILED


@click.command("verify")
@click.argument("pictures", metavar="PICTURE...", type=options.PATH, nargs=-1, required=True)
@options.max_pixels
@options.common
def command(pictures: tuple[str, ...], max_pixels: int, as_json: bool) -> int:
    """Show what a picture says of where it comes from: its provenance, its invisible watermark, its signature.

    The provenance is plain text that anybody can write or strip; the watermark survives re-encoding and resizing; only
    the signed content credentials (C2PA) prove who made the picture, and that it was not changed. Of several pictures,
    those that cannot be read are named, and the exit code is 7.

    \b
        vestiary verify out.png
        vestiary verify *.jpg --json
    """
    answers, failed = _look_at(pictures, max_pixels)
    if as_json:
        say.data(answers)
    else:
        for number, answer in enumerate(answers):
            if number:
                click.echo()
            say.table(_rows(answer))
    return EXIT_SOME_FAILED if failed else 0


def _look_at(pictures: tuple[str, ...], max_pixels: int) -> tuple[list[dict[str, Any]], int]:
    """What is found in each, and how many could not be read; a picture that comes alone fails with its own error."""
    from vestiary.errors import ImageError

    answers: list[dict[str, Any]] = []
    failed = 0
    for picture in pictures:
        try:
            answers.append(look(picture, max_pixels=max_pixels))
        except ImageError as problem:
            if len(pictures) == 1:
                raise
            failed += 1
            error = {"code": problem.code, "message": problem.message, "hint": problem.hint}
            answers.append({"picture": picture, "error": error})
    return answers, failed


def look(picture: str, *, max_pixels: int) -> dict[str, Any]:
    """All that is found in one picture, JSON-ready.

    Raises:
        ImageError: it cannot be read.
    """
    from vestiary.errors import ImageError
    from vestiary.images import open_picture, read_provenance
    from vestiary.trust import watermark

    if Path(picture).is_dir():
        hint = "Hand in its pictures, as many as you like: vestiary verify FOLDER/*.jpg"
        raise ImageError(f"{picture} is a folder.", hint=hint)
    opened = open_picture(picture, max_pixels=max_pixels)
    mark = watermark.detect(opened.image)
    found = mark and {"payload": mark.payload.hex(), "strength": round(mark.strength, 2), "repaired": mark.repaired}
    return {
        "picture": picture,
        "made_by_vestiary": bool(mark) or None,
        "provenance": read_provenance(picture) or None,
        "watermark": found,
        "credentials": _credentials(Path(picture)),
    }


def _credentials(picture: Path) -> dict[str, Any]:
    """The report as plain data; "unreadable": a format that carries none; "not checked": the extra is not installed."""
    from dataclasses import asdict

    from vestiary.errors import ImageError, MissingExtraError
    from vestiary.images import media_type
    from vestiary.trust import credentials

    data = picture.read_bytes()
    mime = media_type(data)
    if mime not in credentials.SIGNABLE:
        return {"state": "unreadable", "problems": [f"{mime or 'this format'} carries none that can be read here"]}
    try:
        return asdict(credentials.verify(data, mime))
    except MissingExtraError as problem:
        return {"state": "not checked", "problems": [str(problem)]}
    except ImageError as problem:
        return {"state": "unreadable", "problems": [str(problem)]}


def _rows(answer: dict[str, Any]) -> list[tuple[str, str]]:
    if "error" in answer:
        return [("picture", answer["picture"]), ("error", answer["error"]["message"])]
    provenance, mark, signed = answer["provenance"] or {}, answer["watermark"], answer["credentials"]
    made = " ".join(str(provenance[name]) for name in ("engine", "vestiary") if name in provenance)
    rows = [("picture", answer["picture"])]
    rows.append(("provenance", made or ("present" if provenance else "none")))
    rows.append(("watermark", f"{mark['payload']} (strength {mark['strength']})" if mark else "none"))
    who = f", by {signed['signer']}" if signed.get("signer") else ""
    rows.append(("credentials", f"{signed['state']}{who}"))
    return [*rows, *(("", problem) for problem in signed.get("problems", ()))]
