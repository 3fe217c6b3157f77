"""How long a change of clothes takes in the studio, from the tap to the picture on the screen, and where the time goes.

    python tools/studio_latency.py --changes 30 [--person PHOTO --garments DIR] [--watermark off] [-o latency.json]

Starts a service in an empty folder and opens its page in Chromium (headless, drawn by the CPU). A photo is brought to
768 × 1024, handed in and scanned; every garment is worn once; then garments are changed one after the other, and no
look is taken from the page's memory. The page itself measures: from the time stamp of the tap until the frame with the
new picture has been painted. Processor seconds are counted besides, of the service and of the browser, since they say
more than the clock does on a machine that others use too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
from load import PICTURES, Server
from playwright.sync_api import Page, sync_playwright

from vestiary import samples
from vestiary.images import encode_picture, open_picture

FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
CHANGING = ("top", "dress")  # one of them takes the other's place, so each look has one garment
LATEST = "(count) => performance.getEntriesByName('vestiary-fitting').length > count"
PARTS = ("read", "encode", "transfer", "queue", "fit", "compress", "draw")
CPU = ("service_cpu_ms", "browser_cpu_ms")


def brought_to(photo: Path, width: int, height: int, to: Path) -> Path:
    """The photo scaled to cover the size, and cut to it from the top."""
    image = open_picture(photo).image
    scale = max(width / image.shape[1], height / image.shape[0])
    size = (max(round(image.shape[1] * scale), width), max(round(image.shape[0] * scale), height))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    left = (size[0] - width) // 2
    scaled = np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)[:height, left : left + width]
    to.write_bytes(encode_picture(np.ascontiguousarray(scaled), "jpeg", quality=95))
    return to


class Visit:
    """A shopper at the page."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page, self.server = page, server

    def hand_in(self, person: Path, garments: list[Path]) -> list[str]:
        """Hand in a person and garments; selectors of the tiles that take each other's place."""
        page = self.page
        page.locator("input[type=file]").first.set_input_files(person)
        page.locator(".you .verdict.good, .you .verdict.fair").wait_for(state="attached")
        if garments:
            page.locator(".wall input[type=file]").set_input_files(garments)
            page.wait_for_function("() => !document.querySelector('.tile.reading')", timeout=120_000)
        wanted = "own" if garments else "sample"
        find = "([kinds, which]) => import('/page/store.js').then(({ state }) => state.garments.filter("
        find += "(one) => kinds.includes(one.category) && !one.trouble && (which === 'sample') === !!one.sample)"
        return list(page.evaluate(find + ".map((one) => one.key))", [CHANGING, wanted]))

    def change(self, key: str) -> dict[str, Any]:
        """Tap on a garment; the page's own account of it."""
        page = self.page
        page.evaluate("() => import('/page/fit.js').then(({ forgetResults }) => forgetResults())")
        before = page.evaluate("() => performance.getEntriesByName('vestiary-fitting').length")
        service, browser = self._service_seconds(), _browser_seconds()
        tile = page.locator(f'.tile[data-key="{key}"] .wear')
        tile.scroll_into_view_if_needed()
        tile.click()
        page.wait_for_function(LATEST, arg=before, polling=50, timeout=60_000)
        told = page.evaluate("() => performance.getEntriesByName('vestiary-fitting').at(-1).detail")
        told["service_cpu_ms"] = 1000 * (self._service_seconds() - service)
        told["browser_cpu_ms"] = 1000 * (_browser_seconds() - browser)
        return dict(told)

    def _service_seconds(self) -> float:
        assert self.server.process is not None
        return _seconds(psutil.Process(self.server.process.pid))


def _seconds(process: psutil.Process) -> float:
    """Processor seconds of a process, user and system."""
    used = process.cpu_times()
    return float(used.user + used.system)


def _browser_seconds() -> float:
    """Processor seconds of all of Chromium's processes."""
    children = psutil.Process().children(recursive=True)
    return sum(_seconds(child) for child in children if child.name().startswith("chrom"))


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the changes; figures in milliseconds."""
    flags = ["--rate-per-minute", "100000", "--studio", "--workers", str(given.workers)]
    flags += ["--no-watermark"] if given.watermark == "off" else []
    server = Server(folder, given.port or _free_port(), *flags)
    person = brought_to(given.person or samples.people()["mira"], given.width, given.height, folder / "person.jpg")
    clothes = [p for p in sorted(given.garments.iterdir()) if p.suffix.lower() in PICTURES] if given.garments else []
    server.start()
    try:
        with sync_playwright() as driver:
            chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
            browser = driver.chromium.launch(executable_path=chromium, args=list(FLAGS))
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(60_000)
            page.goto(f"{server.address}/")
            visit = Visit(page, server)
            keys = visit.hand_in(person, clothes)
            for key in keys:  # each is read, and its first picture made
                visit.change(key)
            told = [visit.change(keys[number % len(keys)]) for number in range(given.changes)]
            browser.close()
    finally:
        server.stop()
    return _summary(told, len(keys))


def _summary(told: list[dict[str, Any]], garments: int) -> dict[str, Any]:
    totals = sorted(entry["total"] for entry in told)
    middle = {name: round(statistics.median(entry[name] for entry in told), 1) for name in (*PARTS, *CPU)}
    return {
        "changes": len(told),
        "garments": garments,
        "median_ms": round(statistics.median(totals), 1),
        "p95_ms": round(totals[min(len(totals) - 1, round(0.95 * len(totals)))], 1),
        "fastest_ms": round(totals[0], 1),
        "slowest_ms": round(totals[-1], 1),
        "median_of_parts_ms": middle,
        "median_bytes": statistics.median(entry["bytes"] for entry in told),
        "load_of_the_machine": os.getloadavg()[0],
        "each": told,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Measure and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--changes", type=int, default=30)
    parser.add_argument("--person", type=Path, help="a photo; a sample unless given")
    parser.add_argument("--garments", type=Path, help="a folder; the samples unless given")
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--height", type=int, default=1024)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--watermark", choices=("on", "off"), default="on")
    parser.add_argument("-o", "--output", type=Path, help="for the figures of each change")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(given, Path(folder))
    if given.output:
        given.output.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps({name: value for name, value in figures.items() if name != "each"}, indent=2))


if __name__ == "__main__":
    main()
