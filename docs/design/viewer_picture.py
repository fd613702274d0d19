"""Take the picture of the viewer that stands in the README: the phantom torso, opened in a headless Chromium.

    python docs/design/viewer_picture.py docs/pictures/viewer.png

It needs playwright, Pillow and the chromium of the system, and draws without a graphics card.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from petquant_phantoms import catalogue
from PIL import Image
from playwright.sync_api import sync_playwright

from petquant.background import Background
from petquant.export.viewer import page_bytes
from petquant.view import view

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]


def main(out: Path) -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        phantom = catalogue.build("torso_fdg", Path(folder) / "fdg")
        scene = view(
            phantom.dicom,
            [phantom.lesions],
            labels=phantom.labels,
            backgrounds=[Background(name="liver", path=str(phantom.backgrounds["liver"]))],
        )
        page_path = Path(folder) / "view.html"
        page_path.write_bytes(page_bytes(scene))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        page.goto(page_path.as_uri())
        page.wait_for_selector("html[data-ready=yes]", state="attached", timeout=120_000)
        page.click("text=liver metastasis")
        page.wait_for_timeout(1000)
        picture = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    picture.convert("RGB").save(out, optimize=True)
    print(out, out.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
