"""One browser for all pages of the viewer; every page is watched for requests, errors and dialogs."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from petquant_phantoms import Definition, Study, catalogue, region_mask, suv_field, write_study
from PIL import Image

READY_MS = 60_000  # pictures are drawn without a graphics card


@dataclass
class Watched:
    """A page with what it did."""

    page: Any
    requests: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def readout(self, which: str = "at") -> dict[str, Any]:
        """The value, voxel, place and regions of the crosshair ("at") or of the pointer."""
        data = self.page.eval_on_selector(f"#{which}", "line => ({ ...line.dataset })")
        return {
            "value": float(data["value"]),
            "voxel": tuple(int(n) for n in data["voxel"].split()),
            "mm": np.array([float(x) for x in data["mm"].split()]),
            "regions": data["regions"],
            "hu": data["hu"],
            "words": self.page.inner_text(f"#{which}"),
        }

    def pixels(self) -> np.ndarray:
        """The planes as drawn, (height, width, 3)."""
        shot = self.page.locator("#planes").screenshot()
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), np.float64)

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )


@pytest.fixture(scope="session")
def opened(browser: Any) -> Callable[..., AbstractContextManager[Watched]]:
    """Open an address and wait until the viewer is ready."""

    @contextmanager
    def visit(url: str, *, width: int = 640, height: int = 480) -> Iterator[Watched]:
        page = browser.new_page(viewport={"width": width, "height": height})
        watched = Watched(page)

        def trouble(kind: str, words: str) -> None:
            watched.troubles.append(f"{kind}: {words}")

        def dialog(asked: Any) -> None:
            trouble("dialog", asked.message)
            asked.dismiss()

        page.on("request", lambda request: watched.requests.append(request.url))
        page.on("console", lambda said: trouble(said.type, said.text))
        page.on("pageerror", lambda error: trouble("error", str(error)))
        page.on("dialog", dialog)
        page.on("popup", lambda _popup: trouble("popup", ""))
        page.goto(url)
        page.wait_for_selector("html[data-ready]", state="attached", timeout=READY_MS)
        assert page.get_attribute("html", "data-ready") == "yes", page.inner_text("#failure")
        yield watched
        page.close()

    return visit


@dataclass(frozen=True)
class Truth:
    """What lies where in a phantom, from its closed form."""

    definition: Definition
    study: Study

    def at(self, mm: np.ndarray) -> tuple[float, float]:
        """The SUV of the voxel whose centre is nearest, and how far away that is, in mm."""
        definition = self.definition
        centres = definition.grid.voxel_centres_mm()
        off = np.linalg.norm(centres - mm, axis=-1)
        nearest = np.unravel_index(off.argmin(), off.shape)
        field = suv_field(definition.body, definition.grid, fwhm_mm=definition.fwhm_mm)
        return float(field[nearest]), float(off.min())

    def tolerance(self) -> float:
        """Half a stored unit of the coarsest slice, and rounding, as the phantom states it."""
        return max(entry["expected"]["suv_max"]["abs_tol"] for entry in self.study.truth["regions"])

    def hottest_mm(self, name: str) -> np.ndarray:
        """Where the closed form is largest in a region."""
        definition = self.definition
        (region,) = [one for one in definition.body.regions if one.name == name]
        field = suv_field(definition.body, definition.grid, fwhm_mm=definition.fwhm_mm)
        inside = np.where(region_mask(region, definition.grid), field, -np.inf)
        return definition.grid.voxel_centres_mm()[np.unravel_index(inside.argmax(), inside.shape)]


@pytest.fixture(scope="session")
def truth_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Truth]:
    """Write a phantom of the catalogue."""

    def write(name: str, **how: Any) -> Truth:
        definition = catalogue.load(name)
        folder: Path = tmp_path_factory.mktemp(name)
        return Truth(definition, write_study(definition, folder, **how))

    return write
