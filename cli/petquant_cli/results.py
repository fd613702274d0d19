"""Results of ``petquant suv`` beyond its table: DICOM SEG and SR for the archive, BIDS derivatives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from petquant.export.record import Privacy
    from petquant.output import Content
    from petquant.quantification import Quantification
    from petquant.roi import Roi

__all__ = ["Results", "results_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Where results go beside the table; None where they are not wanted."""

    seg: Path | None
    sr: Path | None
    bids: Path | None
    subject: str | None
    session: str | None

    def write(self, quantification: Quantification, lesions: Sequence[Roi], privacy: Privacy) -> None:
        """Write everything that is wanted, or nothing."""
        from petquant_cli.messages import MESSAGES

        contents: dict[Path, Content] = {}
        if self.seg is not None:
            from petquant.export.dicom_results import dicom_contents

            contents |= dicom_contents(quantification, lesions, seg=self.seg, sr=self.sr)
        if self.bids is not None:
            from petquant.export.bids import BidsLabels, bids_contents

            labels = BidsLabels(subject=self.subject, session=self.session)
            contents |= bids_contents(quantification, lesions, self.bids, labels=labels, privacy=privacy)
        if not contents:
            return
        from petquant.output import make_folders, write_all

        if self.bids is not None:
            make_folders(path.parent for path in contents if self.bids in path.parents)
        write_all(contents)
        wrote = [str(path) for path in (self.seg, self.sr, self.bids) if path is not None]
        MESSAGES.say(f"wrote {' and '.join(wrote)}")


def results_of(
    *,
    seg: Path | None,
    sr: Path | None,
    bids: Path | None,
    subject: str | None,
    session: str | None,
    out: Path | None,
    privacy: Privacy,
    inputs: Iterable[Path | None],
) -> Results:
    """Return where results go.

    Raises
    ------
    UsageError
        OPTION_INVALID: options that do not go together, or a file that would overwrite what is read.
    """
    from petquant.errors import UsageError
    from petquant_cli.destination import apart

    def refuse(found: str, expected: str, remedy: str = "") -> None:
        raise UsageError.of("OPTION_INVALID", found, expected=expected, remedy=remedy)

    if sr is not None and seg is None:
        refuse("--dicom-sr alone", "--dicom-seg beside it: measurements refer to segments (TID 1411)")
    files = [path.absolute() for path in (seg, sr, out) if path is not None]
    if len(set(files)) < len(files):
        refuse("two outputs of one name", "a name for each of --out, --dicom-seg, --dicom-sr")
    for option, label in (("--bids-subject", subject), ("--bids-session", session)):
        if label is not None and bids is None:
            refuse(option, "--bids beside it")
    if bids is not None:
        from petquant.export.bids import BidsLabels

        BidsLabels(subject=subject, session=session)
    if seg is not None and (privacy.has_hashed_uids or not privacy.has_roi_names):
        refuse(
            "--hash-uids or --roi-names index with --dicom-seg",
            "one of them: DICOM results carry patient, UIDs and names of the regions, to be filed by",
            "write the DICOM results in a run of their own",
        )
    kept = list(inputs)
    for path in (seg, sr):
        apart(path, kept)
    return Results(seg=seg, sr=sr, bids=bids, subject=subject, session=session)
