"""The house's one-way street: who may import whom, and what stays unloaded until it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import vestiary

PACKAGE = Path(vestiary.__file__).parent

# A module may import what is on its own level or below. Sub-packages count as one.
LEVELS = [
    {"types", "errors", "clock", "files", "samples", "download"},
    {"images", "decode", "encode", "jpegxl", "weights", "values", "trust"},
    {"inference"},
    {"fitting", "person", "garment", "networks"},
    {"encoding"},
    {"diffusion"},
    {"engines"},
    {"api", "registry"},
    {"datasets"},
    {"mirror", "training", "evaluation", "synth"},
    # The client shares the records; the service serves the studio's page and sends fittings to the cluster's replicas.
    {"serve", "studio", "client", "cluster"},
    {"cli", "__main__"},
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")

# Everything else runs without PyTorch.
TORCH = {"networks", "training", "diffusion", "evaluation/standard.py", "encoding/encode.py"}
EXCEPTIONS = {("types", "images")}  # Fitting.save() is a shortcut that reaches up


def is_module(name: str) -> bool:
    return bool(name) and ((PACKAGE / f"{name}.py").exists() or (PACKAGE / name).is_dir())


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported at run time, also inside functions; not what only the type checker sees."""
    if isinstance(tree, ast.If) and isinstance(tree.test, ast.Name) and tree.test.id == "TYPE_CHECKING":
        return
    if isinstance(tree, ast.Import):
        yield from (alias.name for alias in tree.names)
    elif isinstance(tree, ast.ImportFrom) and tree.module:
        assert tree.level == 0, "imports are absolute"
        yield from (f"{tree.module}.{alias.name}" for alias in tree.names)
    for child in ast.iter_child_nodes(tree):
        yield from imported(child)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    me = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert me in LEVEL, f"say in LEVELS where {me} belongs"
    for name in imported(ast.parse(path.read_text(encoding="utf-8"))):
        whole, _, rest = name.partition(".")
        other = rest.partition(".")[0]
        if whole == "vestiary" and is_module(other) and (me, other) not in EXCEPTIONS:
            assert LEVEL[other] <= LEVEL[me], f"{me} may not import {name}"
        if whole == "torch":
            assert {me, path.relative_to(PACKAGE).as_posix()} & TORCH, f"{me} runs without PyTorch"


def loaded(code: str) -> set[str]:
    """Top-level modules that a new interpreter has loaded after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*(m.split('.')[0] for m in sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_import_loads_nothing_heavy() -> None:
    heavy = {"numpy", "cv2", "PIL", "pydantic", "onnxruntime", "rich", "httpx", "torch"}
    assert not loaded("import vestiary") & (heavy | {"click"})
    assert not loaded("import vestiary.cli.main") & heavy
    assert not loaded("from vestiary.cli.main import main; main(['--version'])") & heavy
    assert not loaded("import vestiary; vestiary.list_engines; vestiary.VestiaryError") & heavy


def test_public_names_are_there() -> None:
    for name in vestiary.__all__:
        assert getattr(vestiary, name) is not None
    assert set(dir(vestiary)) == set(vestiary.__all__)
    with pytest.raises(AttributeError, match="fly"):
        _ = vestiary.fly
