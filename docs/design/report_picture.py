"""The picture of a report in the README, from the phantom with [18F]FDG.

    python docs/design/report_picture.py OUT.png

Needs playwright and a Chromium. What stands in the picture is what `petquant demo` writes.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from petquant_phantoms import catalogue
from PIL import Image
from playwright.sync_api import sync_playwright

from petquant.export.record import Privacy
from petquant.export.report import study_report
from petquant.quantify import Background, measure_study

WIDTH_PX = 1240
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main(out: str) -> None:
    """Write the picture: everything from the top of the page to the end of the table of lesions."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        page.write_bytes(_report(Path(folder)))
        with sync_playwright() as playwright:
            executable = next(filter(None, map(shutil.which, BROWSERS)), None)
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
            tab = browser.new_context(
                viewport={"width": WIDTH_PX, "height": 900}, reduced_motion="reduce"
            ).new_page()
            tab.goto(page.as_uri())
            box = tab.locator("table.sortable").bounding_box()
            if box is None:
                raise LookupError("the report has no table")
            clip = {"x": 0, "y": 0, "width": WIDTH_PX, "height": box["y"] + box["height"] + 4}
            shot = tab.screenshot(full_page=True, clip=clip)
            browser.close()
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    picture.point(lambda level: min(255, (level + 2) // 4 * 4)).save(
        out, optimize=True
    )  # a third less to store
    print(f"{out}: {Path(out).stat().st_size} bytes")


def _report(folder: Path) -> bytes:
    phantom = catalogue.build("torso_fdg", folder / "fdg")
    measured = measure_study(
        phantom.dicom,
        [str(phantom.lesions)],
        labels=phantom.labels,
        backgrounds=[
            Background(name=name, path=phantom.backgrounds[name]) for name in ("liver", "blood_pool")
        ],
        has_ct=True,
    )
    return study_report(
        measured.quantification,
        volume=measured.volume,
        lesions=measured.lesions,
        references=measured.backgrounds,
        ct=measured.ct,
        why_no_ct=measured.why_no_ct,
        privacy=Privacy(),
    )


if __name__ == "__main__":
    main(sys.argv[1])
