"""The report in headless Chromium, offline: what a reader sees, clicks, hears and prints."""

from __future__ import annotations

import base64
import csv
import io
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from petquant.export.record import Privacy, rows_of
from petquant.export.table import as_csv
from petquant.quantify import measure_study
from petquant.study import Choices

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

# definitions/whole_study.toml: centre and radius of the two spheres, voxels of 4 mm about the origin
SPHERES = {"1": ((-17.3, 6.1, 2.4), 9.0), "2": ((20.7, -3.2, -1.6), 7.0)}
OVERLAPS = """(id) => {
    const texts = [...document.querySelectorAll(`#${id} text`)].map((t) => [t.textContent, t.getBBox()]);
    return texts.flatMap(([one, a], i) => texts.slice(i + 1).filter(([, b]) =>
        a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height)
        .map(([other]) => [one, other]));
}"""
SHAPE_ZYX, STEP_MM = (12, 24, 28), 4.0


@pytest.fixture(scope="module")
def plain(open_page, whole):
    return open_page(whole.page)


def boxes_of(tab, view):
    """Boxes in mm of the outlines of a projection, by label: left, top, right, bottom."""
    return tab.evaluate(
        """(id) => Object.fromEntries([...document.querySelectorAll(`#${id} path > title`)].map((title) => {
            const box = title.parentElement.getBBox();
            return [title.textContent, [box.x, box.y, box.x + box.width, box.y + box.height]];
        }))""",
        f"mip-{view}",
    )


def box_of_sphere(label):
    """z, y, x bounds in mm of the voxels whose centre lies in a sphere of the definition."""
    centre, radius = SPHERES[label]
    axes = [(np.arange(n) - (n - 1) / 2) * STEP_MM for n in SHAPE_ZYX]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 <= radius**2
    return [(along[inside].min() - STEP_MM / 2, along[inside].max() + STEP_MM / 2) for along in (z, y, x)]


@pytest.mark.parametrize("page", ["page", "hostile_page"])
def test_a_report_asks_for_nothing_says_nothing_and_runs_no_foreign_script(open_page, whole, page):
    opened = open_page(getattr(whole, page))
    opened.tab.wait_for_timeout(50)
    assert opened.said == []
    outside = [url for url in opened.seen if not url.startswith("data:") and url != opened.uri]
    assert outside == []
    assert opened.tab.locator("img, iframe, object, embed").count() == 0
    assert opened.tab.locator("script").count() == 1


def test_names_that_attack_are_read_as_what_they_are(open_page, whole):
    text = open_page(whole.hostile_page).tab.locator("body").inner_text()
    assert "<script>alert(1)</script>^=cmd|'/c calc'!A1" in text
    assert "<img src=x onerror=alert(1)>" in text
    assert r"</script><script>alert(2)</script>\u202egnp.\x1b[2J" in text


def test_a_click_on_a_heading_sorts_by_value_and_a_second_one_turns_round(plain):
    table = plain.tab.locator("table.sortable")
    head = table.get_by_role("columnheader", name="Voxels")

    def numbers():
        return [float(text) for text in table.locator("tbody td:nth-of-type(2)").all_inner_texts()]

    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert numbers() == sorted(numbers(), reverse=True)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert numbers() == sorted(numbers())
    assert len(set(numbers())) == 2


def test_a_table_is_sorted_from_the_keyboard_by_name(plain):
    table = plain.tab.locator("table.sortable")
    head = table.get_by_role("columnheader", name="Region")
    head.get_by_role("button").focus()
    plain.tab.keyboard.press("Enter")
    assert table.locator("tbody th").all_inner_texts() == ["node", "nodule"]
    plain.tab.keyboard.press("Space")
    assert table.locator("tbody th").all_inner_texts() == ["nodule", "node"]


def test_what_is_undefined_comes_last_in_both_directions(plain):
    order = """(order) => {
        const table = document.querySelector("table.sortable");
        const column = [...table.tHead.rows[0].cells].findIndex((head) => /TBRmax/.test(head.textContent));
        const row = [...table.tBodies[0].rows].find((row) => row.cells[1].textContent === "node");
        row.cells[column].dataset.key = "";
        const button = table.tHead.rows[0].cells[column].querySelector("button");
        button.click();
        if (order === 2) button.click();
        return [...table.tBodies[0].rows].map((row) => row.cells[1].textContent);
    }"""
    assert plain.tab.evaluate(order, 1) == ["nodule", "node"]
    assert plain.tab.evaluate(order, 2) == ["nodule", "node"]


def test_the_first_stop_of_the_keyboard_skips_to_the_content(open_page, whole):
    tab = open_page(whole.page).tab
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "To the content"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
    lost = tab.evaluate(
        """() => [...document.querySelectorAll("a[href^='#']")].map((link) => link.hash.slice(1))
            .filter((id) => !document.getElementById(id))"""
    )
    assert lost == []


def test_every_picture_has_words_and_every_control_a_name(plain):
    tab = plain.tab
    unnamed = """() => [...document.querySelectorAll("svg:not(svg svg):not([aria-hidden])")].filter((svg) =>
        svg.getAttribute("role") !== "img" || !(svg.getAttribute("aria-label")
        || document.getElementById(svg.getAttribute("aria-labelledby").split(" ")[0]).textContent)).length"""
    assert tab.evaluate(unnamed) == 0
    assert tab.get_by_label("Angle").count() == 1
    assert tab.evaluate("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size") == (
        tab.locator("[id]").count()
    )
    levels = [
        int(name[1])
        for name in tab.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((h) => h.tagName)")
    ]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


@pytest.mark.parametrize("width", [340, 768])
def test_a_narrow_window_has_nothing_beside_it(open_page, whole, width):
    tab = open_page(whole.hostile_page, width=width).tab
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_outlines_lie_where_the_phantom_has_its_spheres(plain):
    for view, across in (("coronal", 2), ("sagittal", 1)):
        boxes = boxes_of(plain.tab, view)
        for label, name in (("1", "node"), ("2", "nodule")):
            bounds = box_of_sphere(label)
            left, top, right, bottom = boxes[f"lesion {label}: {name}"]
            assert (left, right) == pytest.approx(bounds[across], abs=0.01)
            assert (-bottom, -top) == pytest.approx(bounds[0], abs=0.01)
        assert "reference muscle: muscle" in boxes


def test_a_lesion_is_outlined_on_its_own_pictures_in_its_slice(plain):
    for label in SPHERES:
        card = plain.tab.locator(f"#lesion-{label}")
        assert card.get_by_role("img").count() == 3, "PET, CT, PET over CT"
        _, y, x = box_of_sphere(label)
        box = card.locator("path:has(> title)").last.evaluate(
            "(path) => { const b = path.getBBox(); return [b.x, b.y, b.x + b.width, b.y + b.height]; }"
        )
        assert box[0] >= x[0] - 0.01
        assert box[2] <= x[1] + 0.01
        assert box[1] >= y[0] - 0.01
        assert box[3] <= y[1] + 0.01


def test_every_picture_can_be_decoded(plain):
    found = plain.tab.evaluate(
        """async () => Promise.all([...document.querySelectorAll("svg image")].map(async (shown) => {
            const image = new Image();
            image.src = shown.getAttribute("href");
            await image.decode();
            return image.naturalWidth * image.naturalHeight;
        }))"""
    )
    assert len(found) == 3 + 2 * 4, "three projections; for each lesion PET, CT, and both again"
    assert min(found) > 0


def test_labels_do_not_lie_on_each_other(plain):
    assert plain.tab.evaluate(OVERLAPS, "mip-coronal") == []
    assert plain.tab.evaluate(OVERLAPS, "mip-sagittal") == []


def test_a_long_unit_lies_on_nothing(open_page, whole, report_of):
    measured = measure_study(
        whole.study.dicom,
        [whole.study.lesions],
        labels=whole.study.labels,
        choices=Choices(suv_types=("lbm-james128",)),
    )
    tab = open_page(report_of(measured)).tab
    assert tab.locator("#mip-coronal text", has_text="SUV lbm-james128, g/mL").count() == 1
    assert tab.evaluate(OVERLAPS, "mip-coronal") == []


def test_the_table_behind_comes_out_as_it_went_in(plain, whole):
    link = plain.tab.get_by_role("link", name="All quantities as CSV")
    with plain.tab.expect_download() as started:
        link.click()
    assert started.value.suggested_filename.endswith(".csv")
    content = Path(started.value.path()).read_bytes()
    assert content == as_csv(rows_of(whole.plain.quantification, Privacy()))
    (chart,) = re.findall(rb'href="data:text/csv;charset=utf-8;base64,([^"]+)" download="chart', whole.page)
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(chart).decode())))
    assert [row["region"] for row in rows] == ["node", "nodule", "muscle"]
    largest = whole.plain.quantification.measurements[0].values["suv_max"]
    assert float(rows[0]["suv_max"]) == largest


def test_a_figure_is_saved_as_svg_that_stands_alone(plain):
    for name in ("mip-coronal", "chart-lesions"):
        with plain.tab.expect_download() as started:
            plain.tab.locator(f"button[data-saves={name}]").click()
        root = ET.fromstring(Path(started.value.path()).read_text(encoding="utf-8"))  # noqa: S314 - our own
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "node" in "".join(root.itertext())


def test_the_rotation_is_turned_by_keys_and_stands_still_for_those_who_ask(open_page, plain, whole):
    tab, strip = plain.tab, plain.tab.locator("#mip-rotating svg image")
    assert strip.get_attribute("x") in {"0", "-0"}
    tab.get_by_label("Angle").focus()
    for _ in range(9):
        tab.keyboard.press("ArrowRight")
    width = float(tab.locator("[data-frames]").get_attribute("data-width"))
    assert float(strip.get_attribute("x")) == pytest.approx(-9 * width)
    assert tab.get_by_label("Angle").get_attribute("aria-valuetext") == "90°, seen from the left"
    moving = open_page(whole.page, motion="no-preference").tab
    playwright.expect(moving.get_by_label("Angle")).not_to_have_value("0")
    moving.get_by_role("button", name="Stop").click()
    stopped = moving.get_by_label("Angle").input_value()
    moving.wait_for_timeout(450)
    assert moving.get_by_label("Angle").input_value() == stopped


def test_a_report_prints_without_controls(open_page, whole):
    tab = open_page(whole.page).tab
    tab.emulate_media(media="print")
    assert not tab.locator("main button:visible:not(th button)").count()
    assert tab.pdf(format="A4").startswith(b"%PDF")
