"""`vestiary scan`: show what is seen in a photo of a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vestiary.cli import options, say

if TYPE_CHECKING:
    from vestiary.types import Person, Points, Reader


@click.command("scan")
@click.argument("photo", type=options.PATH)
@click.option("-o", "--output", type=options.PATH, help="Draw what is seen into this picture: .png, .jpg or .webp.")
@click.option(
    "--person", "number", type=click.IntRange(min=1), metavar="N", help="Of several people: 1 is the largest."
)
@click.option(
    "--parser",
    type=click.Choice(["network", "rules"]),
    default="network",
    show_default=True,
    help="How parts are told apart; rules: limbs, silhouette and skin colour alone, for comparison.",
)
@click.option("--layers", type=options.PATH, metavar="DIR", help=options.LAYERS_HELP)
@options.max_pixels
@options.common
def command(
    photo: str,
    output: str | None,
    number: int | None,
    parser: Reader,
    layers: str | None,
    max_pixels: int,
    as_json: bool,
) -> None:
    """Show what is seen in a photo of a person: pose, silhouette, parts, and whether it can serve.

    \b
        vestiary scan person.jpg -o scan.png
        vestiary scan person.jpg --json > person.json
    """
    from vestiary import files, images
    from vestiary.api import scan_person

    if output is not None:
        images.check_output(output, inputs=[photo])
    if layers is not None:
        files.check_folder(layers)
    person = scan_person(photo, person=number, parser=parser, max_pixels=max_pixels)
    if output is not None:
        from vestiary.person.draw import person_card

        images.save_picture(person_card(person), output)
    written = _write_layers(layers, person)
    if as_json:
        say.data({**describe(person), "output": output, "layers": written})
    else:
        _tell(person, output)


def _write_layers(folder: str | None, person: Person) -> list[str]:
    if folder is None:
        return []
    from vestiary.cli import layers

    return layers.write(layers.of_person(person), folder)


def describe(person: Person) -> dict[str, Any]:
    """A scanned person as JSON-ready data; points in pixels, `world` in metres, `parts` as shares of the photo."""
    from vestiary.types import Joint, Part

    height, width = person.image.shape[:2]
    shares = {part.name.lower(): round(float((person.parts == part).mean()), 5) for part in Part}
    return {
        "width": width,
        "height": height,
        "facing": person.facing,
        "arm_in_front": sorted(person.arm_in_front),
        "box": [int(edge) for edge in person.box],
        "warnings": list(person.warnings),
        "pose": {joint.name.lower(): _plain(person.pose[joint]) for joint in Joint},
        "world": {joint.name.lower(): _plain(person.world[joint]) for joint in Joint},
        "keypoints": _plain(person.keypoints),
        "parts": {name: share for name, share in shares.items() if share > 0},
        "timings": say.seconds(person.timings),
        "sha256": person.source,
    }


def _plain(points: Points) -> Any:
    """Numbers as JSON shows them: three decimals."""
    return points.astype(float).round(3).tolist()


def _tell(person: Person, output: str | None) -> None:
    height, width = person.image.shape[:2]
    x0, y0, x1, y1 = person.box
    facing = {"front": "the camera", "back": "away from the camera"}.get(person.facing, f"to the {person.facing}")
    arms = " and ".join(sorted(person.arm_in_front)) or "none"
    rows = [("photo", f"{width} x {height} pixels"), ("person", f"from ({x0}, {y0}) to ({x1}, {y1})")]
    say.table([*rows, ("facing", facing), ("arm in front", arms), ("seconds", f"{sum(person.timings.values()):.2f}")])
    for warning in person.warnings:
        say.words(f"note: {warning}")
    if output is not None:
        say.words(f"{output}: written")
