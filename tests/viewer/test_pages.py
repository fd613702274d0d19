"""The viewer in a browser: what it shows lies where the phantom has it, and nothing leaves the page."""

from __future__ import annotations

import csv
import json
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from petquant_cli.loopback import PageServer

from petquant.background import Background
from petquant.export.record import Privacy
from petquant.export.viewer import page_bytes, served_page
from petquant.export.viewer.table import rows_of
from petquant.study import Choices
from petquant.view import view

DATA = Path(__file__).parents[3] / "shared" / "data"
EVIL = "<script>alert(1)</script>^=cmd|'/c calc'!A1"
EVIL_REGION = '"><img src=x onerror=alert(1)></script><!-- {{ 7*7 }}'


@pytest.fixture(scope="module")
def fused(truth_of, opened, tmp_path_factory):
    """A PET with its CT as one file, of a patient and with a region of hostile names."""

    def edit(dataset, _index):
        dataset.PatientName = EVIL

    truth = truth_of("whole_study", edit=edit)
    folder = tmp_path_factory.mktemp("page")
    labels = folder / "labels.json"
    labels.write_text(json.dumps({"1": "node", "2": EVIL_REGION}), encoding="utf-8")
    scene = view(
        truth.study.dicom,
        [truth.study.lesions],
        labels=labels,
        backgrounds=[Background(name="muscle", path=str(truth.study.backgrounds["muscle"]))],
        privacy=Privacy(with_identifiers=True),
    )
    path = folder / "view.html"
    path.write_bytes(page_bytes(scene))
    with opened(path.as_uri()) as watched:
        yield truth, watched, path


@contextmanager
def served(scene):
    """The address of a server of the scene."""
    with PageServer(served_page(scene)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


def mine(watched, *, name="node"):
    watched.page.locator("button.jump", has_text=name).click()
    watched.settle()
    return watched.readout()


def test_the_maximum_of_a_lesion_is_where_a_click_on_its_row_goes(fused):
    truth, watched, _ = fused
    found = mine(watched)
    expected = truth.study.expected("node")["suv_max"]
    assert found["value"] == pytest.approx(expected["value"], abs=expected["abs_tol"])
    np.testing.assert_allclose(found["mm"], truth.hottest_mm("node"), atol=1e-6)
    assert found["regions"] == '["1 node"]'
    assert found["words"].startswith("Crosshair: SUV 5.964 g/mL at R ")
    assert watched.page.get_attribute("tr[data-region='0']", "aria-current") == "true"


def test_a_row_can_be_used_by_the_keyboard_alone(fused):
    _, watched, _ = fused
    watched.page.locator("button.jump").nth(1).focus()
    watched.page.keyboard.press("Enter")
    watched.settle()
    assert json.loads(watched.readout()["regions"]) == [f"2 {EVIL_REGION}"]


def test_a_heading_sorts_the_rows_and_what_is_not_defined_stays_last(fused):
    _, watched, _ = fused
    head = watched.page.locator("th[aria-sort]", has_text="SUVmax")
    orders = []
    for _ in range(2):
        head.locator("button").press("Enter")
        cells = watched.page.locator("tbody td:nth-child(3)").all_inner_texts()
        orders.append((head.get_attribute("aria-sort"), cells))
    (first, down), (second, up) = orders
    assert (first, second) == ("descending", "ascending")
    assert down == [*sorted(down[:2], key=float, reverse=True), "–"]
    assert up == [*sorted(down[:2], key=float), "–"]
    watched.page.locator("th[aria-sort] button", has_text="region").press("Enter")
    names = watched.page.locator("button.jump").all_inner_texts()
    assert names == ["1 node", f"2 {EVIL_REGION}", "muscle"]


def test_a_scale_bar_is_as_long_as_one_of_the_lengths_that_it_can_say(fused):
    _, watched, _ = fused
    page = watched.page
    page.select_option("#layout", "0")
    watched.settle()
    page.locator("#planes").scroll_into_view_if_needed()
    box = page.locator("#planes").bounding_box()
    x_mm = []
    for part in (0.35, 0.65):
        page.mouse.move(box["x"] + part * box["width"], box["y"] + box["height"] / 2)
        x_mm.append(watched.readout("pointer")["mm"][0])
    mm_per_px = (x_mm[1] - x_mm[0]) / (0.3 * box["width"])
    bar_px = page.evaluate(
        """() => {
            const canvas = document.getElementById("overlay"), { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            let longest = 0;
            for (let pixel = 0, run = 0; pixel < width * height; pixel++) {
                const isBar = [0xff, 0xe9, 0xb8, 0xff].every((level, n) => data[4 * pixel + n] === level);
                run = isBar ? run + 1 : 0;
                longest = Math.max(longest, run);
            }
            return longest;
        }"""
    )
    length_mm = bar_px * mm_per_px
    voxel_mm = 4.0 / (x_mm[1] - x_mm[0])  # a place is known to a voxel
    assert min(abs(length_mm / mm - 1) for mm in (5, 10, 20, 50)) < voxel_mm
    page.select_option("#layout", "3")


def test_arrow_keys_step_one_voxel_towards_the_side_that_they_point_to(fused):
    truth, watched, _ = fused
    before = mine(watched)["mm"]
    spacing_k, spacing_j, spacing_i = truth.definition.grid.spacing_mm
    watched.page.locator("#planes").focus()
    for key, step in (
        ("ArrowLeft", (-spacing_i, 0, 0)),  # the patient's right is on the left
        ("ArrowUp", (0, -spacing_j, 0)),
        ("PageUp", (0, 0, spacing_k)),
    ):
        watched.page.keyboard.press(key)
        after = watched.readout()
        np.testing.assert_allclose(after["mm"] - before, step, atol=1e-6)
        value, off_mm = truth.at(after["mm"])
        assert off_mm < 1e-6
        assert after["value"] == pytest.approx(value, abs=truth.tolerance())
        before = after["mm"]


def test_the_wheel_goes_through_slices_and_zooms_with_ctrl_alone(fused):
    truth, watched, _ = fused
    before = mine(watched)["mm"]
    page = watched.page
    page.select_option("#layout", "0")
    page.locator("#planes").scroll_into_view_if_needed()
    box = page.locator("#planes").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, 100)
    watched.settle()
    after = watched.readout()["mm"]
    assert np.abs(after - before).tolist() == pytest.approx([0, 0, truth.definition.grid.spacing_mm[0]])
    plain = watched.pixels()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    watched.settle()
    np.testing.assert_allclose(watched.readout()["mm"], after)
    assert np.abs(watched.pixels() - plain).mean() > 0.5
    page.click("#reset")
    page.select_option("#layout", "3")


def test_the_ct_under_the_cursor_is_that_of_the_tissue(fused):
    """In the middle of the node, where every voxel around has the same HU, interpolation changes nothing."""
    truth, watched, _ = fused
    (hu,) = [one.hu for one in truth.definition.body.uptakes if one.name == "node"]
    found = mine(watched)
    assert found["hu"] == f"{hu:.0f}"
    assert f"CT {hu:.0f} HU" in found["words"]


def test_presets_and_numbers_set_the_window(fused):
    _, watched, _ = fused
    page = watched.page
    page.click("[data-upper='15']")
    assert (page.input_value("#lower"), page.input_value("#upper")) == ("0", "15")
    assert page.get_attribute("[data-upper='15']", "aria-pressed") == "true"
    bright = watched.pixels().sum()
    page.click("[data-upper='5']")
    watched.settle()
    assert watched.pixels().sum() != bright
    page.fill("#upper", "2.5")
    page.keyboard.press("Tab")
    assert page.get_attribute("[data-upper='5']", "aria-pressed") == "false"
    page.fill("#upper", "-1")  # below the lower end: the window stays
    page.keyboard.press("Tab")
    assert page.input_value("#upper") == "2.5"
    page.click("[data-upper='7']")


def test_pet_and_ct_alone_are_other_pictures(fused):
    _, watched, _ = fused
    pictures = []
    for mode in ("ct", "pet", "fusion"):
        watched.page.click(f"[data-mode='{mode}']")
        watched.settle()
        pictures.append(watched.pixels())
    assert np.abs(pictures[0] - pictures[2]).mean() > 0.1
    assert np.abs(pictures[1] - pictures[2]).mean() > 10  # inverted grey: white where the fusion is black


def test_a_click_on_the_projection_goes_to_the_maximum_behind_it(fused):
    truth, watched, _ = fused
    mine(watched, name="muscle")
    centres = truth.definition.grid.voxel_centres_mm()
    node = truth.hottest_mm("node")
    box = watched.page.locator("#mip").bounding_box()
    # the picture ends half a voxel beyond the centres, and is as large as its place allows
    half = np.array(truth.definition.grid.spacing_mm)[[2, 0]] / 2
    low, high = centres[..., [0, 2]].min((0, 1, 2)) - half, centres[..., [0, 2]].max((0, 1, 2)) + half
    scale = min(box["width"] / (high[0] - low[0]), box["height"] / (high[1] - low[1]))
    off_mm = node[[0, 2]] - (low + high) / 2
    place = {"x": box["width"] / 2 + off_mm[0] * scale, "y": box["height"] / 2 - off_mm[1] * scale}
    watched.page.locator("#mip").click(position=place)
    np.testing.assert_allclose(watched.readout()["mm"], node, atol=1e-6)


def test_outlines_are_drawn_and_taken_away(fused):
    _, watched, _ = fused
    mine(watched)

    def blue():
        return int((np.abs(watched.pixels() - (0x56, 0xB4, 0xE9)).max(axis=2) < 24).sum())

    assert blue() > 20
    watched.page.uncheck("tr[data-region='0'] input")
    watched.settle()
    assert blue() == 0
    watched.page.check("tr[data-region='0'] input")


def test_names_are_text_whatever_they_hold(fused):
    _, watched, path = fused
    page = watched.page
    assert EVIL in page.inner_text("header")
    assert EVIL_REGION in page.locator("button.jump").nth(1).inner_text()
    assert page.locator("#side img, header script, #side script").count() == 0
    html = path.read_text(encoding="utf-8")
    assert EVIL not in html
    assert "<img" not in html.partition("<script")[0]


def test_the_policy_allows_two_scripts_and_no_request(fused):
    _, _, path = fused
    head = path.read_text(encoding="utf-8").partition("</head>")[0]
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', head)[1].replace(
        "&#39;", "'"
    )
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["connect-src"] == rules["base-uri"] == "'none'"
    assert re.fullmatch(r"('sha256-[\w+/=]+' ?){2}", rules["script-src"])
    assert "unsafe" not in policy
    assert "*" not in policy


def test_what_cannot_be_seen_in_a_name_is_written_out(truth_of, tmp_path):
    study = truth_of("tiny").study
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({"1": "\u202egnp.exe\x1b[31m"}), encoding="utf-8")
    html = page_bytes(view(study.dicom, [study.lesions], labels=labels)).decode("utf-8")
    assert html.count(r"\u202egnp.exe\x1b[31m") == 2, "the row, and the label of its box"
    assert not {"\u202e", "\x1b"} & set(html)


def test_other_suv_types_show_the_same_pixels_at_first(truth_of):
    """SUVbsa over SUVbw is the surface (DuBois) in cm2 over the weight in g."""
    truth = truth_of("tiny")
    scene = view(truth.study.dicom, choices=Choices(suv_types=("bsa",)))
    kg, m = truth.definition.header.weight_kg, truth.definition.header.height_m
    surface_cm2 = 71.84 * kg**0.425 * (100 * m) ** 0.725
    assert scene.upper == pytest.approx(7 * surface_cm2 / (1000 * kg), rel=1e-9)


def test_without_suv_the_mean_of_a_background_is_shown_and_its_fivefold_is_the_window(truth_of):
    def edit(dataset, _index):
        del dataset.PatientWeight

    study = truth_of("tiny", edit=edit).study
    (name,) = study.backgrounds
    scene = view(
        study.dicom, [study.lesions], backgrounds=[Background(name=name, path=str(study.backgrounds[name]))]
    )
    mean = scene.references[0]["mean"]
    assert mean > 0
    assert mean in rows_of(scene)[-1]["cells"]
    assert scene.upper == pytest.approx(5 * mean)


def test_two_pages_of_the_same_study_are_the_same_bytes(truth_of):
    scene = view(truth_of("tiny").study.dicom)
    assert page_bytes(scene) == page_bytes(scene)


@pytest.mark.parametrize(
    ("name", "lesion"), [("two_tracer_fdg", "mediastinal node"), ("feet_first_supine", "hot")]
)
def test_what_is_drawn_lies_where_the_pointer_says(truth_of, opened, tmp_path, *, name, lesion):
    truth = truth_of(name)
    path = tmp_path / "view.html"
    path.write_bytes(page_bytes(view(truth.study.dicom, [truth.study.lesions], labels=truth.study.labels)))
    with opened(path.as_uri(), width=500, height=400) as watched:
        assert_drawn_in_place(watched, truth, lesion)
        assert watched.requests == [path.as_uri()]
        assert not watched.troubles


def test_a_served_page_over_bed_joins_is_as_true_and_asks_for_its_own_volumes_alone(truth_of, opened):
    truth = truth_of("three_beds")
    scene = view(truth.study.dicom, [truth.study.lesions], labels=truth.study.labels)
    with served(scene) as url, opened(url, width=500, height=400) as watched:
        assert "lie 3.19 to 3.29 mm apart" in watched.page.inner_text(".notes")
        assert_drawn_in_place(watched, truth, "hot")
        assert sorted(watched.requests) == sorted(url + name for name in ("", "pet", "regions"))
        assert not watched.troubles


def assert_drawn_in_place(watched, truth, lesion):
    """The dark spot on the axial plane is the lesion, and the pointer on it reads its closed form."""
    page, grid = watched.page, truth.definition.grid
    found = mine(watched, name=lesion)
    np.testing.assert_allclose(found["mm"], truth.hottest_mm(lesion), atol=1e-6)
    page.uncheck("#outlines")
    page.uncheck("#crosshair")
    page.select_option("#layout", "0")
    page.fill("#upper", f"{found['value']:.3f}")
    page.keyboard.press("Tab")
    watched.settle()
    grey = watched.pixels().mean(axis=2)
    is_dark = (grey > 1) & (grey < 60)  # 0 is the black beside the picture
    is_dark[:25] = is_dark[-25:] = False  # the letters at the edges
    is_dark[:, :25] = is_dark[:, -25:] = False
    y, x = (float(n.mean()) for n in np.nonzero(is_dark))
    box = page.locator("#planes").bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    pointed = watched.readout("pointer")
    (region,) = [one for one in truth.definition.body.regions if one.name == lesion]
    assert np.linalg.norm(pointed["mm"] - region.shape.centre_mm) < 2.5 * max(grid.spacing_mm)
    value, off_mm = truth.at(pointed["mm"])
    assert off_mm < 1e-6
    assert pointed["value"] == pytest.approx(value, abs=truth.tolerance())
    is_left_of_patient = pointed["mm"][0] > grid.voxel_centres_mm()[..., 0].mean()
    assert (x > grey.shape[1] / 2) == is_left_of_patient, "the patient's left is on the right"


def test_a_real_tumour_lies_where_its_reference_says(opened, tmp_path):
    folder = DATA / "sts_ibsi" / "STS_001"
    if not folder.exists():
        pytest.skip("the real data is not beside the repository")
    with (DATA / "reference_dev.csv").open(encoding="utf-8", newline="") as file:
        (row,) = [one for one in csv.DictReader(file) if one["id"] == "STS_001"]
    path = tmp_path / "view.html"
    path.write_bytes(page_bytes(view(folder, [folder / "PET" / "mask"], has_ct=False)))
    with opened(path.as_uri(), width=500, height=400) as watched:
        assert watched.readout()["value"] == pytest.approx(float(row["rt_max"]), rel=1e-5)
        assert watched.requests == [path.as_uri()]
        assert not watched.troubles


def test_nothing_left_the_page_and_nothing_went_wrong_on_it(fused):
    """Last: after everything that was done on the page above."""
    _, watched, path = fused
    assert watched.requests == [path.as_uri()]
    assert not watched.troubles
