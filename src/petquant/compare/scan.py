"""One scan of a comparison, opened and measured: its lesions as reads need them, and its CT."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from petquant.background import background_region
from petquant.compare.inputs import ScanInput, Settings
from petquant.compare.technical import technical_of
from petquant.errors import PetquantError
from petquant.export.record import Privacy, record_of
from petquant.export.withheld import Withheld
from petquant.label_names import read_places
from petquant.measurement import Measurement
from petquant.quantification import Quantification
from petquant.quantify import measure_study
from petquant.reads.reader import attached, read_reads
from petquant.reads.scan import ReadScan
from petquant.roi import Roi
from petquant.volume import Volume

__all__ = ["OpenScan", "measured_scan", "withheld_of"]

OF_ROWS = ("measurements", "definitions", "schema_version", "petquant_version", "notice")


@dataclass(slots=True, kw_only=True)
class OpenScan:
    """A measured scan; its CT is read once, when it is first asked for."""

    asked: ScanInput
    quantification: Quantification
    read: ReadScan
    record: dict[str, Any]
    _ct: Volume | None = None

    def ct(self) -> Volume:
        """Return the CT in HU.

        Raises
        ------
        Refused
            CT_MISSING.
        """
        if self._ct is None:
            self._ct = self.quantification.study.ct().volume()
        return self._ct


def measured_scan(asked: ScanInput, folder: str, *, settings: Settings) -> OpenScan:
    """Return a scan whose study lies in a folder.

    Parameters
    ----------
    asked
        The scan as it was asked for.
    folder
        The study itself, or what its zip file held.

    Raises
    ------
    PetquantError
        As `petquant.quantify.quantify`, `petquant.reads.reader.read_reads`.
    """
    found = measure_study(
        folder,
        asked.rois,
        backgrounds=asked.backgrounds,
        choices=asked.choices,
        labels=asked.labels,
        psf_fwhm_mm=asked.psf_fwhm_mm,
    )
    quantification = found.quantification
    suv_type = quantification.suv_types[0] if quantification.suv_types else "none"
    rows = [row for row in quantification.measurements if row.suv_type == suv_type]
    lesions, rows = _unique(found.lesions, rows)
    said = () if asked.reads is None else read_reads(asked.reads)
    named = quantification.study.conversion.tracer
    tracers = (asked.tracer, "" if named is None else named.name)
    own = [
        row
        for row in said
        if row.is_of(patient=asked.patient, session=asked.session, reader=asked.reader, tracers=tracers)
    ]
    drawn, undrawn = attached(own, lesions, found.volume.grid, path=asked.reads or "")
    study, reading = quantification.study, asked.choices.reading
    excluded = [
        background_region(study.grid, one, study.facts, reading).roi.voxels for one in asked.exclusions
    ]
    places = {} if asked.labels is None else read_places(asked.labels)
    record = record_of(quantification, Privacy(has_hashed_uids=settings.has_hashed_uids, key=settings.key))
    return OpenScan(
        asked=asked,
        quantification=quantification,
        read=ReadScan(
            volume=found.volume,
            suv_type=suv_type,
            lesions=tuple(lesions),
            measurements=tuple(rows),
            backgrounds=found.backgrounds,
            references=quantification.references,
            flags=found.flags,
            excluded=np.unique(np.concatenate([np.empty(0, np.int64), *excluded])),
            places={str(label): place for label, place in places.items()},
            reads=drawn,
            undrawn=undrawn,
            technical=technical_of(quantification, given=settings.uncertainty),
        ),
        record={key: value for key, value in record.items() if key not in OF_ROWS},
    )


def withheld_of(asked: ScanInput, error: PetquantError) -> Withheld:
    """Return what the record of a refused scan withholds: its path."""
    paths = {finding.path for finding in error.findings if finding.path}
    return Withheld(root=asked.study, paths=tuple(paths))


def _unique(lesions: tuple[Roi, ...], rows: list[Measurement]) -> tuple[list[Roi], list[Measurement]]:
    """Return lesions and rows, an id that comes again (of another file) with its number behind a tilde."""
    times: Counter[str] = Counter()
    named: list[Roi] = []
    for roi in lesions:
        times[roi.roi_id] += 1
        n = times[roi.roi_id]
        named.append(roi if n == 1 else replace(roi, roi_id=f"{roi.roi_id}~{n}"))
    return named, [replace(row, roi_id=roi.roi_id) for row, roi in zip(rows, named, strict=True)]
