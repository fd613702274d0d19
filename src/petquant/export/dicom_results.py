"""Results go back to where the study came from: regions as DICOM SEG, measurements as DICOM SR.

Both carry the patient and study of the source, by which an archive files them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from petquant.errors import UsageError
from petquant.output import Content
from petquant.quantification import Quantification
from petquant.roi import Roi
from petquant.study.dicom import DicomStudy

__all__ = ["dicom_contents"]


def dicom_contents(
    quantification: Quantification, lesions: Sequence[Roi], *, seg: Path, sr: Path | None = None
) -> dict[Path, Content]:
    """Return what is to be written where: a SEG of the lesions and, where wanted, an SR that refers to it.

    Parameters
    ----------
    quantification
        The files of its study must still be there: of a zip, call within
        `petquant.dicom.archive.unpacked`.
    lesions
        On the grid of the PET, in the order of the measurements, as
        `petquant.quantify.MeasuredStudy.lesions`. Fractions are kept: the SEG holds what was measured.
    seg, sr
        Where they go; `petquant.output.write_all` writes both or none.

    Raises
    ------
    UsageError
        OPTION_INVALID, of a study that is no DICOM.
    Refused, UnreadableInput, LimitReached
        As `petquant.dicom.seg_writing.seg_bytes` and `petquant.dicom.sr_writing.sr_bytes`.
    """
    study = quantification.study
    if not isinstance(study, DicomStudy):
        raise UsageError.of(
            "OPTION_INVALID",
            "--dicom-seg of a PET that is no DICOM",
            expected="PET images that a SEG can refer to",
            remedy="give the study in DICOM, or take --bids",
        )
    from petquant.dicom.seg_writing import seg_bytes  # noqa: PLC0415 - highdicom takes a second to import

    content = seg_bytes(
        study.stack,
        lesions,
        grid=study.grid,
        algorithm="; ".join(dict.fromkeys(roi.source for roi in lesions)),
        label="petquant regions",
        is_fractional=any(roi.weights is not None for roi in lesions),
    )
    if sr is None:
        return {seg: content}
    from petquant.dicom.sr_writing import ReportedBackground, sr_bytes  # noqa: PLC0415 - the same

    report = sr_bytes(
        study.stack,
        content,
        quantification.measurements,
        conversion=study.conversion,
        backgrounds=[
            ReportedBackground(name=one.name, source=one.source, values=one.values, flags=one.flags)
            for one in quantification.references
        ],
    )
    return {seg: content, sr: report}
