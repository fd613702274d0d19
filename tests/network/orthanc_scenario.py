"""What happens between petquant and a real archive, told as JSON: ``orthanc_scenario.py FOLDER``.

It is started in a network namespace of its own, ``unshare -rn``, since some Orthanc listen on every interface
whatever they are told. Two phantoms are pushed; everything after that is `petquant` alone. Nothing is judged
here: the tests do that.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pydicom
from petquant_cli.main import main
from petquant_phantoms import TINY, catalogue, write_study
from pynetdicom import AE

HTTP, DICOM, NOBODY = 18042, 14242, 18043
WEB, DIMSE = f"http://127.0.0.1:{HTTP}/dicom-web", f"dicom://ORTHANC@127.0.0.1:{DICOM}"
KILLED_AT = 5  # of the files that are put in place
CONFIGURATION = {
    "RemoteAccessAllowed": False,
    "HttpPort": HTTP,
    "DicomPort": DICOM,
    "DicomAet": "ORTHANC",
    "DicomCheckCalledAet": True,
    "DicomCheckModalityHost": True,
    "DicomModalities": {"petquant": ["PETQUANT", "127.0.0.1", 14243]},
    "AuthenticationEnabled": True,
    "RegisteredUsers": {"reader": "secret"},
    "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
    "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
}
# the command, which gets a signal when its n-th file has been written and is about to be put in place
STOPPED = """
import os, sys
from petquant_cli.main import main

def hook(event, args, seen=[]):
    if event == "os.rename" and str(args[1]).endswith(".dcm"):
        seen.append(args[1])
        if len(seen) == {nth}:
            os.kill(os.getpid(), {signal})

sys.addaudithook(hook)
main()
"""


def run(*words):
    """Run the command within this process."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    sys.argv = ["petquant", *map(str, words)]
    code = 0
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        try:
            main()
        except SystemExit as left:
            code = left.code
    for stream in streams:
        stream.flush()
    out, err = (stream.buffer.getvalue().decode() for stream in streams)
    return {"code": code, "out": out, "err": err}


def stopped(number, *words):
    """Run the command as a process of its own that gets a signal in the middle."""
    code = STOPPED.format(nth=KILLED_AT, signal=int(number))
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False
    )
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def files_of(folder):
    """Return path to SHA-256 of all files in a folder, temporary ones among them."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def bring_up_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up = struct.pack("16sh", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS


@contextlib.contextmanager
def orthanc(folder):
    """Run Orthanc while the block lasts."""
    folder.mkdir()
    places = {"StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db")}
    (folder / "orthanc.json").write_text(json.dumps(CONFIGURATION | places))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["Orthanc", str(folder / "orthanc.json")],
            stdout=log,
            stderr=log,
            env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin"},
        )
    try:
        for port in (HTTP, DICOM):
            wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port, process):
    until = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if time.monotonic() > until or process.poll() is not None:
            raise TimeoutError(f"Orthanc does not listen on {port}")
        time.sleep(0.05)


def push(folder):
    """Send every file of a folder by C-STORE, each in its own transfer syntax; return how many."""
    datasets = [pydicom.dcmread(path) for path in sorted(folder.rglob("*.dcm"))]
    ae = AE(ae_title="PETQUANT")
    for dataset in datasets:
        ae.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", DICOM, ae_title="ORTHANC")
    statuses = [association.send_c_store(dataset).Status for dataset in datasets]
    association.release()
    assert set(statuses) == {0}, statuses
    return len(datasets)


def scenario(root):
    """Run everything, and return what is there to be judged."""
    bring_up_loopback()
    whole = write_study(catalogue.load("whole_study"), root / "whole")
    packed = write_study(replace(TINY, transfer_syntax="rle"), root / "packed")
    uids = [str(pydicom.dcmread(next(study.pet.iterdir())).StudyInstanceUID) for study in (whole, packed)]
    first, second = uids
    told = {
        "uids": uids,
        "pushed": {
            name: {
                str(pydicom.dcmread(path).SOPInstanceUID): str(path) for path in study.dicom.rglob("*.dcm")
            }
            for name, study in (("whole", whole), ("packed", packed))
        },
        "truth": {
            region["name"]: region["expected"]
            for region in whole.truth["regions"]
            if region["role"] == "lesion"
        },
    }
    results = root / "written"
    results.mkdir()
    runs = told["runs"] = {}
    folders = told["folders"] = {}

    def fetched(name, source, *words):
        runs[name] = run("fetch", source, "-o", root / name, "--format", "json", *words)
        folders[name] = files_of(root / name)

    with orthanc(root / "orthanc"):
        told["n_pushed"] = [push(study.dicom) for study in (whole, packed)]
        runs["no password"] = run("fetch", WEB, "--list")
        os.environ |= {"PETQUANT_PACS_USER": "reader", "PETQUANT_PACS_PASSWORD": "secret"}
        runs["list web"] = run("fetch", WEB, "--list", "--format", "json", "--with-identifiers")
        runs["list dimse"] = run("fetch", DIMSE, "--list", "--format", "json", "--with-identifiers")
        runs["list table"] = run("fetch", DIMSE, "--list", "--format", "table", "--modality", "SEG")
        fetched("web", WEB, "--study", first)
        fetched("dimse", DIMSE, "--study", first)
        fetched("web packed", WEB, "--study", second)
        fetched("dimse packed", DIMSE, "--study", second)
        fetched("dates", DIMSE, "--date", "19000101-", "--modality", "PT")
        fetched("again", DIMSE, "--study", first)
        folders["again before"] = files_of(root / "again")
        fetched("again", WEB, "--study", first)
        runs["suv"] = run(
            "suv", root / "web" / first, "--roi", whole.lesions, "--labels", whole.labels, "--format", "json"
        )
        runs["results"] = run(
            *("suv", root / "web" / first, "--roi", whole.lesions, "--labels", whole.labels),
            *("--dicom-seg", results / "regions.dcm", "--dicom-sr", results / "report.dcm"),
        )
        told["n_pushed_back"] = push(results)
        runs["list results"] = run("fetch", WEB, "--list", "--format", "json", "--modality", "SR")
        fetched("results", WEB, "--study", first, "--modality", "SR,SEG")
        told["results"] = {name: digest_of_values(results / f"{name}.dcm") for name in ("regions", "report")}
        told["results fetched"] = [
            digest_of_values(path) for path in sorted((root / "results").rglob("*.dcm"))
        ]
        for name, source, asked in (("web", WEB, signal.SIGTERM), ("dimse", DIMSE, signal.SIGINT)):
            place = root / f"killed {name}"
            words = ("fetch", source, "-o", place, "--study", first, "--modality", "PT", "--format", "json")
            runs[f"killed {name}"] = stopped(signal.SIGKILL, *words)
            folders[f"killed {name}"] = files_of(place)
            runs[f"resumed {name}"] = run(*words)
            folders[f"resumed {name}"] = files_of(place)
            place = root / f"asked {name}"
            words = ("fetch", source, "-o", place, "--study", first, "--modality", "PT")
            runs[f"asked {name}"] = stopped(asked, *words)
            folders[f"asked {name}"] = files_of(place)
        spoil(root / "web" / first)
        fetched("web", WEB, "--study", first, "--modality", "PT")
        fetched("absent web", WEB, "--study", "1.2.3", "--study", second)
        fetched("absent dimse", DIMSE, "--study", "1.2.3")
        fetched("no series", WEB, "--study", second, "--modality", "SR")
        fetched("other title", DIMSE.replace("ORTHANC", "NOBODY"), "--study", first)
        fetched("unknown to it", DIMSE, "--study", first, "--aet", "STRANGER")
        fetched("no dicomweb", WEB.replace("/dicom-web", "/elsewhere"), "--study", first)
        fetched("not dicom", f"dicom://ORTHANC@127.0.0.1:{HTTP}", "--study", first, "--timeout", "2")
    fetched("nobody web", WEB.replace(str(HTTP), str(NOBODY)), "--study", first)
    fetched("nobody dimse", DIMSE.replace(str(DICOM), str(NOBODY)), "--study", first)
    return told


def digest_of_values(path):
    """Return a hash of all values of a DICOM file, without its meta header."""
    dataset = pydicom.dcmread(path)
    return hashlib.sha256(dataset.to_json().encode()).hexdigest()


def spoil(study):
    """Cut one file of a study short and put another under the name of a third."""
    slices = sorted(path for path in study.rglob("*.dcm") if pydicom.dcmread(path).Modality == "PT")
    slices[0].write_bytes(slices[0].read_bytes()[:-10])
    slices[1].write_bytes(slices[2].read_bytes())


if __name__ == "__main__":
    sys.stdout.write(json.dumps(scenario(Path(sys.argv[1]))))
