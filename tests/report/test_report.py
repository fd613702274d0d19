"""What stands in a report and what does not, without a browser."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from time import process_time

import numpy as np
import pytest

from petquant.export.record import Privacy
from petquant.export.report.labels import Anchor, placed
from petquant.export.report.lights import lights
from petquant.grid import Grid
from petquant.reads.verdict import Verdict
from petquant.roi import Roi
from petquant.volume import SliceTotals, Unit, Volume

IDENTITY = ("cmd|", "PQ-PHANTOM", "1970")


def test_nothing_of_the_patient_stands_in_a_report_unless_asked_for(whole):
    text = whole.page.decode()
    hidden = b"".join(map(base64.b64decode, re.findall(rb"base64,([A-Za-z0-9+/=]+)", whole.page))).decode(
        "latin-1"
    )
    for word in IDENTITY:
        assert word not in text
        assert word not in hidden
        assert str(whole.study.root) not in text


def test_asked_for_the_patient_stands_there_escaped(whole):
    text = whole.hostile_page.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;^=cmd|&#39;/c calc&#39;!A1" in text
    assert "PQ-PHANTOM" in text
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_the_policy_allows_the_one_style_and_the_one_script_by_their_hashes(whole):
    text = whole.hostile_page.decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    rules = dict(rule.split(" ", 1) for rule in policy.replace("&#39;", "'").split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    assert not re.search(r'\son[a-z]+="', text), "no inline handler"
    assert ' style="' not in text


def test_the_same_input_gives_the_same_bytes(whole, report_of):
    assert report_of(whole.plain) == whole.page


def test_hashed_uids_and_numbered_regions_hold_for_reports_too(whole, report_of):
    text = report_of(whole.plain, Privacy(has_hashed_uids=True, has_roi_names=False)).decode()
    assert not any(uid in text for uid in whole.plain.quantification.study.source.uids)
    assert "nodule" not in text


def test_a_report_without_lesion_and_without_ct_says_so(whole, report_of):
    empty = replace(whole.plain.quantification, measurements=())
    text = report_of(
        whole.plain, quantification=empty, lesions=(), ct=None, why_no_ct="no CT series"
    ).decode()
    assert "No lesion was given." in text
    assert "Without CT: no CT series." in text


class TestLights:
    def of(self, quantification, name):
        return next(one for one in lights(quantification, height_mm=799.9) if one.name == name)

    def with_liver(self, whole, mean, cov=0.1):
        (reference,) = whole.plain.quantification.references
        values = {**reference.values, "mean": mean, "cov": cov}
        return replace(
            whole.plain.quantification, references=(replace(reference, name="liver_right", values=values),)
        )

    @pytest.mark.parametrize(
        ("mean", "verdict"),
        [(1.29, Verdict.FAIL), (1.3, Verdict.PASS), (3.0, Verdict.PASS), (3.01, Verdict.FAIL)],
    )
    def test_a_liver_with_fdg_has_1_3_to_3_0(self, whole, mean, verdict):
        assert self.of(self.with_liver(whole, mean), "Liver").verdict is verdict

    @pytest.mark.parametrize(("cov", "verdict"), [(0.25, Verdict.PASS), (0.26, Verdict.FAIL)])
    def test_noise_is_held_against_a_quarter(self, whole, cov, verdict):
        light = self.of(self.with_liver(whole, 2.0, cov), "Noise of the reference tissue")
        assert light.verdict is verdict

    def test_what_is_not_known_is_unknown(self, whole):
        bare = replace(whole.plain.quantification, references=())
        assert self.of(bare, "Liver").verdict is Verdict.UNKNOWN
        assert self.of(bare, "Noise of the reference tissue").verdict is Verdict.UNKNOWN
        assert self.of(bare, "Blood glucose").verdict is Verdict.UNKNOWN

    def test_coverage_ends_at_800_mm(self, whole):
        bare = whole.plain.quantification
        assert self.of(bare, "Coverage").verdict is Verdict.FAIL
        enough = [one for one in lights(bare, height_mm=800.0) if one.name == "Coverage"]
        assert enough[0].verdict is Verdict.PASS

    def test_every_light_names_its_source(self, whole):
        for light in lights(whole.plain.quantification, height_mm=48.0):
            assert light.source


def test_labels_keep_their_distance_whatever_the_crowd():
    anchors = [
        Anchor(text=str(n), kind="lesion", left=10.0, right=12.0, middle=50.0 + n / 10, rank=n)
        for n in range(60)
    ]
    labels, n_left_out = placed(anchors, span=(0.0, 100.0), middle=50.0, spacing=4.0)
    for is_left in (True, False):
        heights = sorted(label.y for label in labels if label.is_left is is_left)
        assert np.diff(heights).min() >= 4.0 - 1e-9
        assert heights[0] >= 2.0 - 1e-9
        assert heights[-1] <= 98.0 + 1e-9
    assert len(labels) == 50, "25 a side of 100 over 4"
    assert n_left_out == 10
    assert {label.text for label in labels} == {str(n) for n in range(50)}, "the hottest keep theirs"


def test_a_whole_body_takes_less_than_3_s_and_5_mb(whole, report_of):
    """300 slices of 168 x 168 voxels of a noisy ellipse: far more to store than a patient."""
    shape = (300, 168, 168)
    affine = np.array([[0, 0, 4.0, -334], [0, 4.0, 0, -334], [3.3, 0, 0, -500], [0, 0, 0, 1]])
    j, i = np.mgrid[-1:1:168j, -1:1:168j]
    noise = np.random.default_rng(1).gamma(4.0, 250.0, size=(20, 168, 168)) * (j**2 / 0.12 + i**2 / 0.3 < 1)
    stored = np.tile(noise, (15, 1, 1)).astype(np.int16)
    none = np.zeros(300)
    volume = Volume(
        grid=Grid(shape=shape, affine=affine),
        unit=Unit.GML,
        stored=stored,
        slope=np.full(300, 1e-3),
        intercept=none,
        totals=SliceTotals(total=none, smallest=none, largest=none),
        is_loaded=np.ones(300, bool),
    )
    start = np.ravel_multi_index((150, 84, 84), shape)
    lesions = [
        Roi(roi_id=str(n), name=str(n), voxels=np.arange(4, dtype=np.int64) + start + 10 * n) for n in (0, 1)
    ]
    before = process_time()
    page = report_of(whole.plain, volume=volume, lesions=lesions, references=lesions[:1])
    assert process_time() - before < 3.0
    assert len(page) < 5e6
