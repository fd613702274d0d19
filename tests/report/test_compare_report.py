"""The report of a comparison, held against the SUV that the phantoms of ``petquant compare`` were given."""

from __future__ import annotations

import base64
import csv
import io
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from petquant_phantoms import write_study
from petquant_phantoms.radiopharmaceuticals import FDG, PENTIXAFOR

from petquant.background import background_of
from petquant.compare import ScanInput, Settings, compare_shown, rule_of
from petquant.export.report.comparison import comparison_report
from petquant.export.report.pair_figures import pair_figures, windows_of
from petquant.export.report.plots import Axis, axis_of

HOSTILE = "<script>alert(1)</script>^=cmd|'/c calc'!A1"
RULE = ">1.5*blood_pool"
STEP = 5e-4  # a 16-bit step of the largest value, 9 / 32767, and rounding of the slope


def asked(study, *, tracer, patient=""):
    return ScanInput(
        study=str(study.dicom),
        rois=(str(study.lesions),),
        backgrounds=(background_of(f"blood_pool={study.backgrounds['blood_pool']}"),),
        labels=str(study.labels),
        patient=patient,
        tracer=tracer,
    )


@pytest.fixture(scope="module")
def one(phantoms, tmp_path_factory):
    """One patient, whose name attacks, with two tracers; the same with [18F]FDG twice."""
    root = tmp_path_factory.mktemp("compared")
    later = {"one": 4.0, "two": 5.2, "three": 0.5}
    fdg, pentixafor, again = (
        write_study(phantoms.scan_of(name, tracer, suv, patient_name=HOSTILE), root / name)
        for name, tracer, suv in (
            ("fdg", FDG, phantoms.FDG_SUV),
            ("pentixafor", PENTIXAFOR, phantoms.PENTIXAFOR_SUV),
            ("again", FDG, later),
        )
    )
    settings = Settings(rule=rule_of(RULE))
    scans = [
        asked(fdg, tracer="FDG", patient=HOSTILE),
        asked(pentixafor, tracer="Pentixafor", patient=HOSTILE),
    ]
    found, shown = compare_shown(scans, settings)
    serial = compare_shown([asked(fdg, tracer="a"), asked(again, tracer="b")], settings)
    return SimpleNamespace(
        found=found,
        shown=shown,
        page=comparison_report(found, shown),
        serial=comparison_report(*serial),
        truth=(phantoms.FDG_SUV, phantoms.PENTIXAFOR_SUV),
        centres=phantoms.CENTRES,
    )


def table_of(page, name):
    """Rows of the CSV that a link of the page saves under a name."""
    pattern = rf'href="data:text/csv;charset=utf-8;base64,([^"]+)" download="{name}\.csv"'
    (found,) = re.findall(pattern, page.decode())
    return list(csv.DictReader(io.StringIO(base64.b64decode(found).decode())))


def names_of(one):
    return {pair.lesion_id: (pair.a or pair.b).name for pair in one.found.sessions[0].pairs}


def test_values_by_patient_are_those_of_the_phantom_with_state_and_forced_reads(one):
    rows = {names_of(one)[row["pair"]]: row for row in table_of(one.page, "c0-paired-0")}
    for name, row in rows.items():
        assert float(row["suv_max_a"]) == pytest.approx(one.truth[0][name], abs=STEP)
        assert float(row["suv_max_b"]) == pytest.approx(one.truth[1][name], abs=STEP)
    # above 1.5 x blood pool of 1.0: one on both, two on [18F]FDG alone, three on [68Ga]Pentixafor alone
    assert {name: row["state"] for name, row in rows.items()} == {
        "one": "both",
        "two": "a_only",
        "three": "b_only",
    }
    forced = {name: (row["forced_a"], row["forced_b"]) for name, row in rows.items()}
    assert forced == {"one": ("False", "False"), "two": ("False", "True"), "three": ("True", "False")}


def test_the_matrix_counts_lesions_and_patients(one):
    matrices = re.findall(r'<table class="matrix">(.*?)</table>', one.page.decode(), re.DOTALL)
    counts = [re.findall(r"<td[^>]*>(\d+)</td>", matrix) for matrix in matrices]
    assert counts == [["1", "1", "1", "0"], ["1", "0", "0", "0"]]


def test_agreement_is_the_geometric_mean_of_the_ratios(one):
    ratios = [one.truth[0][name] / one.truth[1][name] for name in one.truth[0]]  # 2.25, 6.667, 0.0833
    logs = np.log(ratios)
    mean, sd = math.exp(logs.mean()), logs.std(ddof=1)
    text = one.page.decode()
    found = re.search(r"<figcaption>Ratio A/B of 3 lesions \(2 with a forced read\): mean ([\d.]+) ", text)
    assert float(found[1]) == pytest.approx(mean, rel=2e-3)  # 0.5 / 32767 of 9 in 0.5, and four digits
    limits = re.search(r"limits ([\d.]+) \([^)]*\) and ([\d.]+) ", text[found.start() :])
    for value, side in zip(
        limits.groups(), (-1.0, 1.0), strict=True
    ):  # Bland and Altman 1999: mean -+ 1.96 sd
        assert float(value) == pytest.approx(mean * math.exp(side * 1.96 * sd), rel=1e-2)


def test_two_scans_of_one_tracer_have_a_waterfall_and_two_tracers_have_none(one):
    # 9 to 4 is -55.6 %, 5 to 5.2 is +4 %; Lodge 2017: -24.2 to +31.9 % are repeatability
    rows = table_of(one.serial, "c0-change")
    assert [float(row["change_percent"]) for row in rows] == pytest.approx([4.0, -500 / 9], abs=0.02)
    assert [row["change_exceeds_rc"] for row in rows] == ["False", "True"]
    assert "c0-change" not in one.page.decode()


def test_every_tracer_has_its_own_window(one):
    # 0.75-quantiles of SUVmax: of 9 and 5 it is 8, of 4 and 6 it is 5.5
    windows = windows_of(one.found.sessions, one.shown.views)
    assert {key: window.upper for key, window in windows.items()} == {
        ("FDG", "bw"): 10.0,
        ("Pentixafor", "bw"): 7.0,
    }
    assert "FDG 0 (white) to 10 (black), SUV bw, g/mL; Pentixafor 0 (white) to 7 (black)" in one.page.decode()


def figures_of(one, **changes):
    views = replace(one.shown.views[0], **changes)
    windows = windows_of(one.found.sessions, one.shown.views)
    return {
        (figure.letter, figure.seen.view): figure
        for figure in pair_figures(one.found.sessions[0], views, windows, px=2.0)
    }


def box_of(path):
    """Left, top, right, bottom of an outline made of M, H and V."""
    xs, ys = [], []
    for x, y, way, end in re.findall(r"M(-?[\d.]+) (-?[\d.]+)([HV])(-?[\d.]+)", path):
        xs += [float(x), float(end)] if way == "H" else [float(x)]
        ys += [float(y), float(end)] if way == "V" else [float(y)]
    return min(xs), min(ys), max(xs), max(ys)


def test_lesions_are_outlined_where_the_phantom_has_them_by_state_on_both_scans(one):
    states = {"one": "both", "two": "a_only", "three": "b_only"}
    names = list(names_of(one).values())
    for (letter, view), figure in figures_of(one).items():
        drawn = {out.label.rstrip("*"): out for out in figure.seen.outlines if out.kind != "reference"}
        assert len(drawn) == 3
        for place, name in enumerate(names):
            outline = drawn[str(place + 1)]
            assert outline.kind == states[name]
            is_forced = name == {"a": "three", "b": "two"}[letter]
            assert outline.label.endswith("*") is is_forced
            x, y, z = one.centres[name]
            left, top, right, bottom = box_of(outline.path)
            across = x if view == "coronal" else y
            assert ((left + right) / 2, -(top + bottom) / 2) == pytest.approx(
                (across, z), abs=2.0
            )  # half a voxel
            assert 12.0 <= right - left <= 20.0, "a sphere of 16 mm on voxels of 4 mm"


def test_a_pixel_is_as_dark_as_its_uptake_in_the_window_of_its_tracer(one):
    view = one.shown.views[0].scans[0]
    levels = view.maxima["coronal"] * (view.largest / 65535)
    assert levels.max() == pytest.approx(9.0, abs=2 * STEP)
    x, _, z = one.centres["two"]
    row = np.searchsorted(view.edges_mm[0], z) - 1
    column = np.searchsorted(view.edges_mm[2], x) - 1
    assert levels[row, column] == pytest.approx(5.0, abs=2 * STEP)


def test_both_scans_have_one_scale_and_b_lies_lower_by_what_it_lies_higher_in_its_frame(one):
    still, moved = figures_of(one, offset_z_mm=0.0), figures_of(one, offset_z_mm=16.0)
    for view in ("coronal", "sagittal"):
        a, b = moved["a", view], moved["b", view]
        assert (a.sheet.top, a.sheet.height, a.sheet.height_px) == (
            b.sheet.top,
            b.sheet.height,
            b.sheet.height_px,
        )
        assert a.sheet.width_px / a.sheet.width == pytest.approx(b.sheet.width_px / b.sheet.width, rel=0.01)
        assert b.seen.picture.top - still["b", view].seen.picture.top == pytest.approx(16.0)
        assert a.seen.picture.top == still["a", view].seen.picture.top


def test_names_that_attack_stand_as_text(one):
    text = one.page.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;^=cmd|" in text
    assert text.count("<script>") == 1
    rows = table_of(one.page, "pairs")
    assert {row["patient"] for row in rows} == {HOSTILE}


def test_with_hashed_uids_no_uid_stands_on_the_page(one):
    series = [scan.record["series"] for scan in one.found.scans]
    uids = {one_series[name] for one_series in series for name in ("series_uid", "frame_of_reference_uid")}
    assert all(uid.encode() in one.page for uid in uids)
    hidden = comparison_report(one.found, one.shown, has_hashed_uids=True)
    assert b"FRAME_OF_REFERENCE_SHARED" in hidden
    embedded = b"".join(base64.b64decode(part) for part in re.findall(rb'base64,([^"]+)" download', hidden))
    assert not any(uid.encode() in hidden + embedded for uid in uids)


def test_the_same_comparison_gives_the_same_bytes(one):
    assert comparison_report(one.found, one.shown) == one.page


def test_a_comparison_page_asks_for_nothing_and_fits_a_phone(one, open_page):
    for page in (one.page, one.serial):
        opened = open_page(page, width=340)
        assert opened.said == []
        assert [url for url in opened.seen if not url.startswith("data:") and url != opened.uri] == []
        assert opened.tab.evaluate("document.documentElement.scrollWidth") <= 340
    assert HOSTILE in opened.tab.locator("body").inner_text() or HOSTILE in open_page(
        one.page
    ).tab.inner_text("body")


def test_every_figure_of_a_comparison_has_words_and_folds_by_the_keyboard(one, open_page):
    tab = open_page(one.page).tab
    unnamed = """() => [...document.querySelectorAll("svg[role=img]")].filter((svg) =>
        !document.getElementById(svg.getAttribute("aria-labelledby").split(" ")[0]).textContent).length"""
    assert tab.evaluate(unnamed) == 0
    assert tab.locator("svg[role=img]").count() == 4 + 3 + 3, "projections, values and agreement of 3 metrics"
    assert tab.evaluate("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size") == (
        tab.locator("[id]").count()
    )
    summary = tab.locator("details.patient > summary")
    summary.focus()
    tab.keyboard.press("Enter")
    assert tab.locator("details.patient").get_attribute("open") is None
    tab.emulate_media(media="print")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.locator("details:not([open])").count() == 0


def test_an_axis_holds_its_values_and_its_ticks():
    for values in ([0.08, 6.7], [1.0, 1.0], [3.2, 3.3], [1e-4, 1e5]):
        axis = axis_of(values, start=300.0, end=30.0, is_log=True)
        assert all(30.0 <= axis.at(value) <= 300.0 for value in values)
        places = [at for _, at in axis.ticks()]
        assert len(places) <= 9
        assert all(30.0 <= at <= 300.0 for at in places)
    linear = Axis(low=-60.0, high=40.0, start=0.0, end=100.0, is_log=False)
    assert [words for words, _ in linear.ticks()] == ["-60", "-40", "-20", "0", "20", "40"]
    assert linear.at(-10.0) == pytest.approx(50.0)
