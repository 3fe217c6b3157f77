"""`vestiary doctor`: check this installation."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from vestiary.cli import options, say

# Extra: (a package that comes with it, what it is for)
EXTRAS = {
    "serve": ("fastapi", "the studio, the live mirror and the service"),
    "grpc": ("grpc", "the service over gRPC"),
    "safety": ("c2pa", "signed pictures, and refusing nude ones"),
    "codecs": ("imagecodecs", "JPEG XL"),
    "diffusion": ("diffusers", "the engines that paint: diffusion, fashn, catvton-flux"),
    "train": ("pywt", "training"),
    "evaluate": ("torch", "LPIPS, FID and KID with their usual networks"),
    "ray": ("ray", "replicas and catalogues on a cluster"),
    "redis": ("redis", "rates that several processes count together"),
    "postgres": ("psycopg", "PostgreSQL under the service"),
    "s3": ("s3fs", "pictures of the service in S3"),
}
PACKAGES = ("numpy", "pillow", "opencv-python-headless", "onnxruntime", "ai-edge-litert", "pydantic", "click", "rich")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `advice` says what to do when it is not well."""

    name: str
    found: str
    well: bool = True
    advice: str = ""


@click.command("doctor")
@options.common
def command(as_json: bool) -> int:
    """Check this installation: Python, packages, model files, cache, engines, machine, and a fitting of a sample.

    The exit code is 1 when something is not well.
    """
    checks = []
    for check in (*machine(), *packages(), *extras(), *weights(), *engines(), self_test()):
        checks.append(check)
        if not as_json:
            click.echo(f"{'ok ' if check.well else 'BAD'}  {check.name}: {check.found}")
            if not check.well and check.advice:
                click.echo(f"     {check.advice}")
    well = all(check.well for check in checks)
    if as_json:
        say.data({"well": well, "checks": [asdict(check) for check in checks]})
    return 0 if well else 1


def machine() -> Iterator[Check]:
    """Python, the system, cores and memory."""
    from vestiary import __version__

    yield Check("vestiary", f"{__version__} in {Path(__file__).parents[1]}")
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Check("python", f"{platform.python_version()} at {sys.executable}", good, "Use Python 3.11, 3.12 or 3.13.")
    yield Check("system", f"{platform.system()} {platform.release()} on {platform.machine()}")
    yield Check("cores", str(_cores()))
    memory = _free_memory()
    if memory is not None:
        yield Check("free memory", f"{memory / 2**30:.1f} GiB", memory > 2**30, "A fitting needs up to 0.7 GiB.")


def _cores() -> int:
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _free_memory() -> int | None:
    """Bytes that can still be had; None where the system does not tell (only Linux does)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None


def packages() -> Iterator[Check]:
    """The versions of the packages that fittings depend on."""
    from importlib.metadata import PackageNotFoundError, version

    for name in PACKAGES:
        try:
            yield Check(name, version(name))
        except PackageNotFoundError:
            yield Check(name, "not installed", False, f"Type: pip install {name}")


def extras() -> Iterator[Check]:
    """What else can be installed, and what for; one that is not there is no fault."""
    from importlib.util import find_spec

    for name, (module, purpose) in EXTRAS.items():
        state = "installed" if find_spec(module) else f'not installed; pip install "vestiary[{name}]"'
        yield Check(f"extra {name}", f"{state} ({purpose})")


def weights() -> Iterator[Check]:
    """The cache folder and each model file."""
    from vestiary.weights import cache_dir, list_weights

    folder = cache_dir()
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(nearest).free
    writable = os.access(nearest, os.W_OK)
    advice = "Set VESTIARY_CACHE to a folder that can be written and has 100 MB left."
    state = f"{folder}, {free / 1e9:.1f} GB free" + ("" if writable else ", not writable")
    yield Check("cache", state, writable and free > 10**8, advice)
    for spec in list_weights().values():
        yield Check(
            f"model {spec.name}", spec.status, spec.status == "ready", f"Type: vestiary weights get {spec.name}"
        )


def engines() -> Iterator[Check]:
    """Each engine; one that is not installed is no fault."""
    from vestiary.registry import list_engines

    for spec in list_engines().values():
        yield Check(f"engine {spec.name}", f"not installed; {spec.install}" if spec.missing else "ready")


def self_test() -> Check:
    """Fit one sample garment on one sample person."""
    try:
        from vestiary import samples
        from vestiary.api import try_on

        person, garments = samples.pairs()[0]
        started = time.perf_counter()
        fitting = try_on(samples.people()[person], [samples.garments()[garment] for garment in garments])
        changed = float((fitting.mask > 0).mean())
        found = f"one sample fitted in {time.perf_counter() - started:.1f} s, {changed:.0%} of the picture changed"
        return Check("self-test", found, 0.005 < changed < 0.9, "Report it with the output of: vestiary doctor --json")
    except Exception as problem:
        return Check("self-test", f"{type(problem).__name__}: {problem}", False, "Type: vestiary demo --debug")
