"""`vestiary export`: write a trained network as ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vestiary.cli import options, say


@click.command("export")
@click.argument("checkpoint", type=options.PATH)
@click.option("-o", "--out", type=options.PATH, required=True, metavar="FILE.onnx", help="Where the ONNX file goes.")
@click.option("--int8", is_flag=True, help="Also write FILE.int8.onnx and measure what it loses; needs the data.")
@click.option("--float-ends", is_flag=True, help="INT8: leave the first and the last layers in floating point.")
@click.option("--score", "scored", is_flag=True, help="Validate PyTorch and ONNX with the recipe's own score.")
@click.option("--data", type=options.PATH, metavar="DIR", help="Where the recipe's data is: short for --set data=DIR.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key of the run's configuration.")
@click.option("--recipe", metavar="RECIPE", help="The recipe, where it is a class of your own: module:Class.")
@click.option(
    "--calibration",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    metavar="N",
    help="Samples for INT8's ranges.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=0.02,
    show_default=True,
    help="Largest difference to PyTorch, as a share of an output's largest value.",
)
@options.common
def command(
    checkpoint: str,
    out: str,
    int8: bool,
    float_ends: bool,
    scored: bool,
    data: str | None,
    overrides: tuple[str, ...],
    recipe: str | None,
    calibration: int,
    tolerance: float,
    as_json: bool,
) -> None:
    """Write the averaged weights of a checkpoint as ONNX, and check the file against PyTorch.

    Those of the diffusion's recipes become a model folder that the engine `diffusion` opens.

    \b
        vestiary export runs/parser/best.pt -o parser.onnx
        vestiary export runs/diffusion/best.pt -o model
        vestiary export runs/parser/best.pt -o parser.onnx --int8 --data ccp --json
    """
    from vestiary.files import check_place
    from vestiary.training.recipes import check_installed

    check_place(out)
    check_installed()
    from vestiary.training.ship import Order, ship

    wanted = (*overrides, f"data={data}") if data else overrides
    report = ship(Order(Path(checkpoint), Path(out), recipe, wanted, int8, scored, calibration, tolerance, float_ends))
    if as_json:
        say.data(report)
    else:
        _tell(report)


def _tell(report: dict[str, Any]) -> None:
    if "folder" in report:
        say.words(f"{report['folder']} written: {', '.join(report['card']['sha256'])}")
        return
    rows = [("", "file", "MB", "ms", "largest difference", "score")]
    if "score" in report:
        rows.append(("pytorch", "", "", "", "", f"{report['score'].get('score', float('nan')):.4f}"))
    for key in ("onnx", "int8"):
        if key in report:
            one = report[key]
            gap = max(found["relative_max"] for found in one["difference"].values())
            score = f"{one['score'].get('score', float('nan')):.4f}" if "score" in one else ""
            size = f"{one['bytes'] / 1e6:.2f}"
            rows.append((key, one["file"], size, f"{one['milliseconds']:.1f}", f"{gap:.2%}", score))
    say.table(rows)
