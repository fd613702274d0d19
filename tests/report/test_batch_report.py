"""The report of a batch: made from a store whose every value is set here."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import zlib
from copy import deepcopy
from dataclasses import replace
from time import process_time
from types import SimpleNamespace

import pytest

from petquant.batch.collected import Collected, opened
from petquant.batch.folder import report_of
from petquant.batch.outcome import Ended, Outcome
from petquant.batch.report import batch_report
from petquant.batch.store import open_store
from petquant.export.record import Privacy, record_of

HOSTILE = "<script>alert(1)</script>^=cmd|'/c calc'!A1"
FDG, PENTIXAFOR = "[18F]FDG", "[68Ga]Pentixafor"
# hottest SUVmax of studies f0 to f6 with [18F]FDG: median 8, and one ten times that
SUV = (7.0, 7.5, 8.0, 8.5, 9.0, 7.8, 80.0)


def altered(record, *, tracer, suv_max, number):
    made = deepcopy(record)
    made["summary"] |= {"suv_max": suv_max, "tmtv_ml": 10.0 + number, "n_lesions": 2}
    made["conversion"] |= {
        "tracer": tracer,
        "uptake_time_min": 60.0,
        "injected_activity_bq": 280e6,
        "weight_kg": 70.0,
    }
    made["series"]["series_uid"] = f"1.2.{number}"
    made["inputs"]["instances_sha256"] = made["study"]["key"] = str(number)
    return made


def put(store, study, *, record=None, outcome=Outcome.FLAGGED, code="", message=""):
    end = Ended(
        outcome=outcome,
        code=code,
        message=message,
        record=b"" if record is None else zlib.compress(json.dumps(record).encode()),
        n_measurements=0 if record is None else 2,
    )
    store.put(study, end, key="", given={}, attempts=1)


@pytest.fixture(scope="module")
def record(whole):
    return json.loads(json.dumps(record_of(whole.plain.quantification, Privacy())))


@pytest.fixture(scope="module")
def batch(record, tmp_path_factory):
    folder = tmp_path_factory.mktemp("batch")
    with open_store(folder) as store:
        for number, suv_max in enumerate(SUV):
            one = altered(record, tracer=FDG, suv_max=suv_max, number=number)
            put(store, f"f{number}", record=one, code="MAX_TIED")
        put(
            store,
            HOSTILE,
            record=altered(record, tracer=PENTIXAFOR, suv_max=4.0, number=9),
            outcome=Outcome.OK,
        )
        put(store, "r", outcome=Outcome.REFUSED, code="WEIGHT_MISSING", message="no weight\nand <b>more</b>")
        put(store, "c", outcome=Outcome.CRASHED, code="PROCESS_DIED", message="its process was killed")
    for study in ("f1", HOSTILE):
        place = report_of(folder, study)
        place.parent.mkdir(exist_ok=True)
        place.write_text("a page")
    with opened(folder) as collected:
        page = batch_report(collected, folder, at=folder / "report.html")
    return SimpleNamespace(folder=folder, page=page, text=page.decode())


def rows_of(text):
    body = re.search(r'<table class="sortable" id="runs">.*?<tbody>(.*?)</tbody>', text, re.DOTALL)[1]
    rows = [
        re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)
        for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    ]
    return {re.sub(r"<[^>]+>", "", cells[1]): cells for cells in rows}


def test_every_study_has_a_row_with_its_outcome_and_its_numbers(batch):
    rows = rows_of(batch.text)
    assert len(rows) == 10
    assert [rows["f6"][place] for place in (0, 2, 3, 4, 5, 6, 7)] == [
        "flagged", FDG, "2", "80.00", "16.00", "60.00", "4.000",  # 280 MBq over 70 kg
    ]  # fmt: skip
    assert (rows["r"][0], rows["r"][9]) == ("refused", "WEIGHT_MISSING")
    assert rows["r"][10] == "no weight; and &lt;b&gt;more&lt;/b&gt;"
    assert (rows["c"][0], rows["c"][4]) == ("crashed", "–")
    for words in ("7 flagged", "1 ok", "1 refused", "1 crashed"):
        assert f"<strong>{words}</strong>" in batch.text
    assert "0 failed" not in batch.text


def test_a_study_leads_to_its_report_where_there_is_one(batch):
    links = re.findall(r'<a href="(studies/[^"]+)">', batch.text)
    assert sorted((batch.folder / link).read_text() for link in links) == ["a page"] * 2
    assert "studies/f1.html" in links
    elsewhere = batch.folder / "pages"
    with opened(batch.folder) as collected:
        page = batch_report(collected, batch.folder, at=elsewhere / "index.html").decode()
    assert 'href="../studies/f1.html"' in page


def test_values_are_spread_by_tracer_and_outliers_have_names(batch):
    # ln of each over 8, the median: -0.134, -0.065, 0, 0.061, 0.118, -0.025, 2.303; the median of their sizes
    # is 0.065, so f6 has a robust z of 2.303 / (1.4826 x 0.065) = 24, beyond 3.5, and the one of 7.0 of -1.4
    caption = re.search(r"<figcaption>(\[18F\]FDG: n 7, median 8\.000.*?)</figcaption>", batch.text)[1]
    assert "7.000 to 80.00" in caption
    assert "outlying: f6 (80.00)" in caption
    assert "[68Ga]Pentixafor: n 1, median 4.000" in caption
    csv_url = re.search(r'href="data:text/csv;charset=utf-8;base64,([^"]+)" download="strip-0', batch.text)[1]
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(csv_url).decode())))
    assert sorted(float(row["value"]) for row in rows if row["tracer"] == FDG) == sorted(SUV)
    assert [row["study"] for row in rows if row["outlying"] == "True"] == ["f6"]


def test_names_that_attack_stand_as_text(batch):
    assert batch.text.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;^=cmd|" in batch.text


class Many:
    """What a store of 500 studies would say."""

    def __init__(self, record, run):
        self._runs = [replace(run, study=f"study-{number:03d}") for number in range(500)]
        made = [
            altered(record, tracer=(FDG, PENTIXAFOR)[n % 2], suv_max=5.0 + n / 100, number=n)
            for n in range(500)
        ]
        self._records = {run.study: json.dumps(one) for run, one in zip(self._runs, made, strict=True)}

    def runs(self):
        return iter(self._runs)

    def record(self, study):
        return self._records[study]


def test_500_studies_take_less_than_1_mb_and_4_s(record, batch, tmp_path):
    with opened(batch.folder) as collected:
        run = next(run for run, _ in collected.studies() if run.study == "f1")
    many = Collected(Many(record, run))
    before = process_time()
    page = batch_report(many, tmp_path, at=tmp_path / "report.html")
    assert process_time() - before < 4.0
    assert page.count(b"<tr>") > 500
    assert len(page) < 1e6


def test_rows_are_narrowed_by_outcome_and_words_and_sorted_by_keys(batch, open_page):
    opened_page = open_page(batch.page, width=340)
    tab = opened_page.tab
    assert opened_page.said == []
    assert [url for url in opened_page.seen if not url.startswith("data:") and url != opened_page.uri] == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= 340
    told, rows = tab.get_by_role("status"), tab.locator("#runs tbody tr:visible")
    assert told.inner_text() == "10 of 10 shown"
    tab.get_by_label("Outcome").select_option("flagged")
    assert (told.inner_text(), rows.count()) == ("7 of 10 shown", 7)
    tab.get_by_label("With the words").focus()
    tab.keyboard.type("F6")
    assert (told.inner_text(), rows.count()) == ("1 of 10 shown", 1)
    tab.get_by_label("With the words").fill("")
    head = tab.locator("#runs").get_by_role("columnheader", name="SUVmax")
    head.get_by_role("button").focus()
    tab.keyboard.press("Enter")
    assert rows.first.locator("th").inner_text() == "f6"
    assert HOSTILE in tab.locator("#runs").text_content()
