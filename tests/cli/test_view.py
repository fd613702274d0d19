"""``petquant view``: a file that needs nothing else, or a server until Ctrl-C."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest


def test_view_writes_one_file_and_says_what_it_holds(petquant_within, tiny, tmp_path):
    out = tmp_path / "view.html"
    result = petquant_within("view", tiny.dicom, "--roi", tiny.lesions, "--labels", tiny.labels, "--out", out)
    assert result.code == 0, result.err
    assert result.out == b""
    assert "petquant: no CT is shown: no CT series in the folder" in result.err
    assert re.search(r"wrote .*view\.html, \d\.\d MB; it holds the voxels of the patient", result.err)
    html = out.read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert "hot</button>" in html
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"'](?!data:)", html.partition("<script")[0])


def test_view_needs_no_regions_and_shows_the_patient_only_when_asked(petquant_within, study_of, tmp_path):
    def edit(dataset, _index):
        dataset.PatientName = "CANARY01^JANE"
        dataset.PatientID = "CANARY02"
        dataset.SeriesDescription = "CANARY03"

    study = study_of(edit=edit)
    hidden, shown = tmp_path / "hidden.html", tmp_path / "shown.html"
    result = petquant_within("view", study.dicom, "--no-ct", "--out", hidden)
    assert result.code == 0, result.err
    assert "no CT" not in result.err
    assert petquant_within("view", study.dicom, "--out", shown, "--with-identifiers").code == 0
    page = hidden.read_text(encoding="utf-8")
    assert "No regions were given" in page
    assert "CANARY" not in page
    page = shown.read_text(encoding="utf-8")
    assert "CANARY01^JANE" in page
    assert "CANARY03" not in page


@pytest.mark.parametrize(
    "args", [("--out", "view.txt"), ("--suv", "bw", "--suv", "bsa"), ("--roi", "absent.nii.gz")]
)
def test_view_refuses_what_cannot_be_meant(petquant_within, tiny, args):
    assert petquant_within("view", tiny.dicom, *args).code == 2


def test_view_refuses_as_suv_does(petquant_within, study_of, tmp_path):
    def edit(dataset, _index):
        del dataset.PatientWeight

    result = petquant_within("view", study_of(edit=edit).dicom, "--out", tmp_path / "a.html")
    assert result.code == 4
    assert result.codes == ["WEIGHT_MISSING"]
    assert not (tmp_path / "a.html").exists()


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is no signal there")
def test_view_serves_until_it_is_interrupted(tiny):
    command = [sys.executable, "-c", "from petquant_cli.main import main; main()"]
    process = subprocess.Popen(
        [*command, "view", tiny.dicom, "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    url = urlsplit(process.stdout.readline().strip())
    assert url.hostname == "127.0.0.1"
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    connection.request("GET", url.path)
    assert connection.getresponse().status == 200
    connection.close()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out == ""
    assert url.path not in err, "the secret stands on stdout alone"
    assert "Traceback" not in err
