"""Whole-process benchmark of petquant against its peers, in interleaved rounds of one run.

usage: python tests/benchmarks/run.py [--rounds 7] [--data DIR] [--peers DIR] [--only 2,4]

Needs petquant installed from a wheel (``pip install .``, so that byte code is cached) with SimpleITK beside
it, and the peer scripts and data maker in ``../shared/bench`` beside the project; dcm2niix is used where it
is installed. Ratios are medians of ratios within a round: quote those, never the seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Figure:
    """One figure to reach: `ours` over `peer`, at most `limit` (wall) or the memory likewise."""

    number: str
    what: str
    ours: str
    peer: str
    limit: float
    is_memory: bool = False


FIGURES = (
    Figure("1", "--help over import typer", "help", "typer", 2.5),
    Figure("2", "suv on S, 10 lesions, over REF", "S", "ref", 1.6),
    Figure("3", "suv on M, 10 lesions, over REF", "M", "ref", 1.8),
    Figure("4a", "suv on L, 10 lesions, over SimpleITK", "L", "sitk_L", 1 / 6),
    Figure("4b", "suv on L, 10 lesions, over pydicom", "L", "pydicom_L", 1 / 15),
    Figure("4c", "suv on L, 10 lesions, over dcm2niix", "L", "dcm2niix_L", 0.8),
    Figure("5", "suv on L, 300 lesions, over SimpleITK", "L300", "sitk_L300", 1 / 5),
    Figure("6a", "suv on TREE over cat", "TREE", "cat_TREE", 2.0),
    Figure("6b", "suv on TREE over SimpleITK", "TREE", "sitk_TREE", 1 / 15),
    Figure("7", "peak memory on L over SimpleITK", "L", "sitk_L", 0.25, is_memory=True),
    Figure("10a", "batch of 48 M, two workers over one", "two_M", "one_M", 1 / 1.6),
    Figure("10b", "batch of 12 L, two workers over one", "two_L", "one_L", 1 / 1.6),
    Figure("10c", "peak memory of a worker over suv, M", "two_M", "M", 1.3, is_memory=True),
    Figure("10d", "peak memory of a worker over suv, L", "two_L", "L", 1.3, is_memory=True),
)
IN_A_BATCH = {"M": 48, "L": 12}


def commands(data: Path, peers: Path, scratch: Path) -> dict[str, list[str]]:
    """Return the command of every contestant that can run here."""
    python = [sys.executable]
    petquant = [str(Path(sys.executable).with_name("petquant"))]

    def suv(series: str, lesions: str) -> list[str]:
        return [*petquant, "suv", str(data / series), "--roi", str(data / f"roi_{lesions}.nii.gz")]

    def peer(script: str, series: str, lesions: str) -> list[str]:
        return [*python, str(peers / script), str(data / series), str(data / f"roi_{lesions}.nii.gz")]

    found = {
        "ref": [*python, "-c", "import pydicom, numpy"],
        "typer": [*python, "-c", "import typer"],
        "help": [*petquant, "--help"],
        "S": suv("S", "S_10"),
        "M": suv("M", "M_10"),
        "L": suv("L", "L_10"),
        "L300": suv("L", "L_300"),
        "TREE": suv("TREE", "M_10"),
        "sitk_L": peer("sitk_pipeline.py", "L", "L_10"),
        "sitk_L300": peer("sitk_pipeline.py", "L", "L_300"),
        "sitk_TREE": peer("sitk_pipeline.py", "TREE", "M_10"),
        "pydicom_L": peer("pydicom_pipeline.py", "L", "L_10"),
        "cat_TREE": ["sh", "-c", f"exec cat {data}/TREE/*"],
    }
    for series, number in IN_A_BATCH.items():
        manifest = scratch / f"{series}.csv"
        study, rois = data / series, data / f"roi_{series}_10.nii.gz"
        manifest.write_text("name,study,roi\n" + "".join(f"{n},{study},{rois}\n" for n in range(number)))
        for word, workers in (("one", "1"), ("two", "2")):
            out = str(scratch / f"{word}_{series}")
            fresh = ["sh", "-c", f'rm -rf {out}; exec "$@"', "sh"]
            batch = [*petquant, "batch", str(manifest), "-o", out, "--workers", workers]
            found[f"{word}_{series}"] = [*fresh, *batch]
    if shutil.which("dcm2niix"):
        found["dcm2niix_L"] = [
            "dcm2niix",
            "-z",
            "n",
            "-w",
            "1",
            "-o",
            str(scratch),
            "-f",
            "L",
            str(data / "L"),
        ]
    return found


def timed(command: list[str]) -> tuple[float, float]:
    """Return wall seconds, and peak memory in MB of one process or the largest of those that it started."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return wall_s, usage.ru_maxrss / 1024


def main() -> None:
    """Make the data when it is missing, run the rounds, print each figure with its limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "petquant_benchmark")
    parser.add_argument("--peers", type=Path, default=ROOT.parent / "shared" / "bench")
    parser.add_argument("--only", default="", help="figures, such as 2,4a")
    given = parser.parse_args()
    if not (given.peers / "make_data.py").is_file():
        raise SystemExit(f"no peers in {given.peers}: nothing to measure against")
    if not (given.data / "roi_L_300.nii.gz").is_file():
        given.data.mkdir(parents=True, exist_ok=True)
        maker = [sys.executable, str(given.peers / "make_data.py"), str(given.data), "S", "M", "L", "TREE"]
        subprocess.run(maker, check=True)
    wanted = [f for f in FIGURES if not given.only or f.number in given.only.split(",")]
    with tempfile.TemporaryDirectory() as scratch:
        run = commands(given.data, given.peers, Path(scratch))
        figures = [f for f in wanted if f.ours in run and f.peer in run]
        names = dict.fromkeys(name for f in figures for name in (f.ours, f.peer))
        rounds: list[dict[str, tuple[float, float]]] = []
        for number in range(given.rounds + 1):  # the first warms the caches
            rounds.append({name: timed(run[name]) for name in names})
            print(f"round {number} of {given.rounds}", file=sys.stderr)
    _print(figures, rounds[1:])


def _print(figures: list[Figure], rounds: list[dict[str, tuple[float, float]]]) -> None:
    for figure in figures:
        at = 1 if figure.is_memory else 0
        ratio = statistics.median(one[figure.ours][at] / one[figure.peer][at] for one in rounds)
        ours = statistics.median(one[figure.ours][at] for one in rounds)
        verdict = "reached" if ratio <= figure.limit else "MISSED"
        unit = "MB" if figure.is_memory else "s"
        print(
            f"{figure.number:>3}  {figure.what:<42} {ratio:7.3f}  limit {figure.limit:.3f}  {verdict}"
            f"  (ours {ours:.3f} {unit})"
        )


if __name__ == "__main__":
    main()
