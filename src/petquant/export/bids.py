"""Results as BIDS derivatives: a table of measurements and the regions, named as BIDS names derivatives.

``OUT/sub-XX[/ses-YY]/pet/`` gets ``*_desc-petquant_measurements.tsv`` with a side-car that describes every
column, and the regions: as ``*_dseg.nii.gz`` where each is whole voxels and none overlap, else one
``*_label-N_*_probseg.nii.gz`` a region; ``.tsv`` beside names them. BIDS 1.10, common principles and
derivatives of imaging data; it knows neither segmentations nor measurements of a PET yet, which
``.bidsignore`` tells validators.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from petquant.errors import UsageError
from petquant.export.identity import study_key
from petquant.export.record import Privacy, as_json, record_of, rows_of
from petquant.export.regions import require_even
from petquant.export.table import as_csv
from petquant.grid import Grid
from petquant.nifti import label_map_writer, volume_writer
from petquant.output import Content
from petquant.quantification import Quantification
from petquant.quantities import QUANTITIES, Scope
from petquant.roi import Roi
from petquant.version import __version__

__all__ = ["BidsLabels", "bids_contents"]

BIDS_VERSION: Final = "1.10.0"
DESC: Final = "desc-petquant"
# a PET image named by BIDS: subject, session, and the entities between them and the suffix
IMAGE: Final = re.compile(
    r"sub-(?P<subject>[A-Za-z0-9]+)(?:_ses-(?P<session>[A-Za-z0-9]+))?"
    r"(?P<entities>(?:_[a-z]+-[A-Za-z0-9]+)*)_pet\.nii(?:\.gz)?"
)
LABEL: Final = re.compile(r"[A-Za-z0-9]+")
ABSENT: Final = "n/a"  # how BIDS writes a value that is missing

README: Final = b"""Measurements of regions on PET, and the regions, by petquant. For research use only.

*_measurements.tsv holds one row a region and SUV type. The JSON beside it describes every column and holds
the evidence. *_dseg.nii.gz or *_probseg.nii.gz holds the regions, and the table beside it names them.
"""

# what is no quantity of a region, and stands in every row
COLUMNS: Final = {
    "study_key": "Pseudonym of the study.",
    "patient_name": "Name of the patient.",
    "patient_id": "Identifier of the patient.",
    "patient_birth_date": "Birth date of the patient.",
    "study_date": "Date of the study.",
    "series_uid": "SeriesInstanceUID of the PET.",
    "tracer": "What was injected.",
    "radionuclide": "Its nuclide.",
    "roi_id": "Identifier of the region; the regions beside name it.",
    "roi_name": "Name of the region.",
    "role": "What the region is for.",
    "roi_source": "How the region came about.",
    "suv_type": "What the SUV is normalised by.",
    "unit": "Unit of the SUV columns.",
    "injected_activity_bq": "Activity at injection.",
    "decay_corrected_activity_bq": "Activity at the decay reference.",
    "uptake_time_min": "From injection to the start of the scan.",
    "half_life_s": "Half-life of the nuclide.",
    "weight_kg": "Body weight.",
    "height_m": "Body height.",
    "decay_reference": "Time that the values of the images hold for.",
    "suv_rule": "How the factor was computed.",
    "petquant_version": "Version of petquant.",
    "notice": "What the numbers are for.",
    "suv_factor": "SUV per rescaled value; a list where slices differ.",
    "flags": "Codes of the caveats of the row.",
}
UNITS: Final = {"bq": "Bq", "min": "min", "s": "s", "kg": "kg", "m": "m"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BidsLabels:
    """What the user calls subject and session; None leaves it to the study.

    Raises
    ------
    UsageError
        OPTION_INVALID, when a label is not made of letters and digits.
    """

    subject: str | None = None
    session: str | None = None

    def __post_init__(self) -> None:
        for option, label in (("--bids-subject", self.subject), ("--bids-session", self.session)):
            if label is not None and not LABEL.fullmatch(label):
                raise UsageError.of(
                    "OPTION_INVALID", f"{option} {label}", expected="letters and digits alone"
                )


def bids_contents(
    quantification: Quantification,
    lesions: Sequence[Roi],
    out: Path,
    *,
    labels: BidsLabels,
    privacy: Privacy,
) -> dict[Path, Content]:
    """Return what is to be written where in a dataset of BIDS derivatives.

    The subject is the one that the user names, else that of a PET image that BIDS names, else the pseudonym
    of the study; never an identifier of the patient.

    Parameters
    ----------
    quantification
        What was measured.
    lesions
        On the grid of the PET, in the order of the measurements.
    out
        Folder of the dataset; several scans may share it.
    labels
        What the user calls subject and session.
    privacy
        As in every output.

    Raises
    ------
    UsageError
        OPTION_INVALID: the folder is a dataset that petquant did not make, holds another scan under the
        same name, or images of other regions of this scan, which the new table would not describe.
    Refused
        NIFTI_UNEVEN_SLICES.
    """
    grid = quantification.study.grid
    require_even(grid)
    folder, stem = _place(quantification, out, labels, privacy)
    record = record_of(quantification, privacy)
    sidecar = folder / f"{stem}_{DESC}_measurements.json"
    _require_same_scan(sidecar, record)
    rows = rows_of(quantification, privacy)
    measured = {key: value for key, value in record.items() if key not in {"measurements", "definitions"}}
    contents: dict[Path, Content] = {
        out / "dataset_description.json": as_json(_description(out / "dataset_description.json")),
        out / "README": README,
        out / ".bidsignore": _ignored(out / ".bidsignore"),
        folder / f"{stem}_{DESC}_measurements.tsv": _tsv(rows),
        sidecar: as_json(_columns(rows) | {"petquant": measured}),
    }
    known_as = record["measurements"][: len(lesions)]
    contents |= _regions(lesions, known_as, grid, folder=folder, stem=stem)
    _require_no_other_regions(folder, stem, contents)
    return contents


def _place(
    quantification: Quantification, out: Path, labels: BidsLabels, privacy: Privacy
) -> tuple[Path, str]:
    """Return the folder of the scan, and what its files begin with."""
    source, tracer = quantification.study.source, quantification.study.conversion.tracer
    image = IMAGE.fullmatch(Path(source.paths[0]).name)
    subject, session, entities = labels.subject, labels.session, ""
    if image is not None:
        subject, session, entities = (
            subject or image["subject"],
            session or image["session"],
            image["entities"],
        )
    elif tracer is not None:
        entities = f"_trc-{re.sub('[^A-Za-z0-9]', '', tracer.name)}"
    subject = subject or study_key(source, key=privacy.key)
    parts = [f"sub-{subject}", *([f"ses-{session}"] if session else [])]
    return out.joinpath(*parts, "pet"), "_".join(parts) + entities


def _require_same_scan(sidecar: Path, record: Mapping[str, Any]) -> None:
    """Raise when the measurements that would be replaced are those of another scan."""
    if not sidecar.exists():
        return
    there = _json(sidecar).get("petquant")
    inputs = there.get("inputs") if isinstance(there, dict) else None
    digest = inputs.get("instances_sha256") if isinstance(inputs, dict) else None
    if digest != record["inputs"]["instances_sha256"]:
        raise UsageError.of(
            "OPTION_INVALID",
            f"{sidecar} is of another scan",
            expected="a name of its own for every scan",
            remedy="give --bids-session, or another --bids-subject",
        )


def _require_no_other_regions(folder: Path, stem: str, contents: Mapping[Path, Content]) -> None:
    """Raise when images of regions of an earlier run would stay beside measurements of other regions."""
    patterns = (f"{stem}_{DESC}_dseg.*", f"{stem}_{DESC}_probseg.*", f"{stem}_label-*_{DESC}_probseg.*")
    stale = sorted({path for pattern in patterns for path in folder.glob(pattern)} - set(contents))
    if stale:
        raise UsageError.of(
            "OPTION_INVALID",
            f"{stale[0]} is of other regions of this scan ({len(stale)} such files)",
            expected="the regions that were written before",
            remedy="remove them, or give another folder or --bids-session",
        )


def _json(path: Path) -> dict[str, Any]:
    """Return what a JSON file of the dataset holds; empty when it is none."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _description(path: Path) -> dict[str, Any]:
    """Return ``dataset_description.json``: the one that is there, with this version of petquant in it."""
    own = {"Name": "petquant", "Version": __version__}
    if not path.exists():
        return {
            "Name": "petquant: PET measurements, research use only",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [own],
        }
    there = _json(path)
    makers = there.get("GeneratedBy")
    makers = [one for one in makers if isinstance(one, dict)] if isinstance(makers, list) else []
    if all(one.get("Name") != "petquant" for one in makers):
        raise UsageError.of(
            "OPTION_INVALID",
            f"--bids {path.parent} is a dataset that petquant did not make",
            expected="a folder of its own, such as derivatives/petquant",
        )
    if all(one.get("Version") != __version__ for one in makers if one.get("Name") == "petquant"):
        makers.append(own)
    return there | {"GeneratedBy": makers}


def _ignored(path: Path) -> bytes:
    """Return ``.bidsignore``: the one that is there, with what BIDS does not know yet of a PET."""
    lines = path.read_text("utf-8", "surrogateescape").splitlines() if path.is_file() else []
    kept = dict.fromkeys((*lines, f"*_{DESC}_*"))
    return "".join(f"{line}\n" for line in kept).encode("utf-8", "surrogateescape")


def _tsv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    filled = [{key: ABSENT if value in {None, ""} else value for key, value in row.items()} for row in rows]
    return as_csv(filled, delimiter="\t")


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return what every column is, by the table of quantities."""
    known = {
        row.column: row for row in QUANTITIES if row.scope not in {Scope.REFERENCE, Scope.STUDY, Scope.RATIO}
    }
    ratios = [row for row in QUANTITIES if row.scope is Scope.RATIO]
    units = {str(row["unit"]) for row in rows}
    suv_unit = units.pop() if len(units) == 1 else ""  # else each row says its own
    described = {}
    for column in dict.fromkeys(column for row in rows for column in row):
        quantity = known.get(column)
        if quantity is not None:
            unit = suv_unit if quantity.ucum == "g/ml{SUVbw}" else quantity.unit
            described[column] = {"LongName": quantity.name, "Description": quantity.definition} | (
                {"Units": unit} if unit else {}
            )
            continue
        ratio = next((row for row in ratios if column.startswith(row.column.removesuffix("NAME"))), None)
        if ratio is not None:
            name = column.removeprefix(ratio.column.removesuffix("NAME"))
            described[column] = {
                "LongName": f"{ratio.name} {name}",
                "Description": ratio.definition.replace("NAME", name),
                "Units": ratio.unit,
            }
        else:
            unit = UNITS.get(column.rpartition("_")[2], "")
            described[column] = {"Description": COLUMNS[column]} | ({"Units": unit} if unit else {})
    return described


def _regions(
    lesions: Sequence[Roi],
    known_as: Sequence[Mapping[str, Any]],
    grid: Grid,
    *,
    folder: Path,
    stem: str,
) -> dict[Path, Content]:
    """Return the images of the regions with the table that names them."""
    ids = [row["roi_id"] for row in known_as]
    is_numbered = all(isinstance(one, int) and 0 < one < 2**32 for one in ids) and len(set(ids)) == len(ids)
    indices: list[int] = ids if is_numbered else list(range(1, len(ids) + 1))
    named = [
        {"index": index, "name": row["roi_name"], "roi_id": row["roi_id"]}
        for index, row in zip(indices, known_as, strict=True)
    ]
    described = as_json(
        {
            "Description": "Regions that were measured, on the grid of the PET.",
            "SpatialReference": "orig",
            "roi_id": {"Description": COLUMNS["roi_id"]},
        }
    )
    if _is_label_map(lesions):
        start = folder / f"{stem}_{DESC}_dseg"
        labels = np.zeros(grid.size, np.min_scalar_type(max(indices, default=1)))
        for index, roi in zip(indices, lesions, strict=True):
            labels[roi.voxels] = index
        images: dict[Path, Content] = {
            _beside(start, ".nii.gz"): label_map_writer(labels.reshape(grid.shape), grid, is_gzipped=True)
        }
    else:
        start = folder / f"{stem}_{DESC}_probseg"
        images = {
            folder / f"{stem}_label-{index}_{DESC}_probseg.nii.gz": _weights_writer(roi, grid)
            for index, roi in zip(indices, lesions, strict=True)
        }
    table = as_csv(named or [dict.fromkeys(("index", "name", "roi_id"), ABSENT)], delimiter="\t")
    return images | {_beside(start, ".tsv"): table, _beside(start, ".json"): described}


def _beside(start: Path, suffix: str) -> Path:
    return start.with_name(start.name + suffix)


def _is_label_map(lesions: Sequence[Roi]) -> bool:
    """Whether every region is whole voxels, and no two share one."""
    if any(roi.weights is not None for roi in lesions):
        return False
    voxels = np.concatenate([roi.voxels for roi in lesions]) if lesions else np.empty(0, np.int64)
    return bool(np.unique(voxels).size == voxels.size)


def _weights_writer(roi: Roi, grid: Grid) -> Content:
    """Return what writes the fractions of one region; the image is made when its turn comes."""

    def write(file: Any) -> None:
        weights = np.zeros(grid.size, np.float32)
        weights[roi.voxels] = 1.0 if roi.weights is None else roi.weights
        writer = volume_writer(weights.reshape(grid.shape), grid, is_gzipped=True)
        writer(file)

    return write
