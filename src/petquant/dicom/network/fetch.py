"""A fetch brings studies from an archive into a folder: every instance that is listed, or an error.

Files are ``OUT/STUDY_UID/SERIES_UID/SOP_INSTANCE_UID.dcm``, each written whole or not at all. What is there
and whole is not fetched again, so that a fetch that was stopped goes on when it is started again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from petquant.dicom.network.archive import Archive
from petquant.dicom.network.listing import FoundSeries, FoundStudy
from petquant.dicom.network.query import Query
from petquant.dicom.network.received import instance_uid, is_present
from petquant.errors import Finding, OutputFailed, UnreadableInput
from petquant.flags import CODES, Severity
from petquant.output import write_whole

__all__ = ["MODALITIES", "Fetched", "FetchedSeries", "Progress", "fetch"]

MODALITIES: Final = ("PT", "CT", "SEG", "RTSTRUCT")  # what a measurement may read
_PASSES: Final = 2  # what did not come is asked for once more
_REASONS: Final = 3  # of a series that are told


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one series is: instances that are here, of those listed."""

    series: FoundSeries
    n_here: int
    n_listed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedSeries:
    """What became of one series.

    Parameters
    ----------
    series
        As the archive lists it.
    folder
        Where its files are.
    n_listed
        Instances that the archive lists, or says that it has where that is more.
    n_present
        Instances that were here before.
    n_fetched
        Instances that came now.
    """

    series: FoundSeries
    folder: Path
    n_listed: int
    n_present: int = 0
    n_fetched: int = 0

    @property
    def n_missing(self) -> int:
        """Return how many instances are not here."""
        return self.n_listed - self.n_present - self.n_fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What became of all series, and what is to be said of it.

    Parameters
    ----------
    series
        In the order in which they were fetched.
    findings
        Why something is missing, and flags.
    """

    series: tuple[FetchedSeries, ...]
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Return the findings without flags: none when everything that is listed is here."""
        return tuple(
            finding for finding in self.findings if CODES[finding.code].severity is Severity.UNREADABLE
        )


def fetch(
    archive: Archive,
    query: Query,
    out: Path,
    *,
    modalities: Sequence[str] = MODALITIES,
    tell: Callable[[Progress], None] = lambda _: None,
) -> Fetched:
    """Fetch the series of the studies that a query means.

    Parameters
    ----------
    archive
        See `petquant.dicom.network.archive.opened`.
    query
        Which studies.
    out
        Folder to fetch into; it is made when it is not there.
    modalities
        Of the series that are fetched.
    tell
        Is told how far a series is, after every instance.

    Returns
    -------
    Fetched
        Its `problems` say what is missing.

    Raises
    ------
    UnreadableInput
        When the archive cannot be asked for studies.
    OutputFailed
        OUTPUT_FAILED; what was written before stands.
    LimitReached
        SIZE_LIMIT, when an answer is longer than any honest one.
    """
    studies = archive.studies(query)
    findings = list(_not_found(query, studies))
    outcomes: list[FetchedSeries] = []
    for at, study in enumerate(studies):
        try:
            every = archive.series(study.uid)
            chosen = [series for series in every if series.modality in modalities]
            if not chosen and study.uid in query.study_uids:
                findings.append(_nothing_chosen(study, every, modalities))
            for series in chosen:
                outcome, seen = _fetch_series(archive, series, out, tell)
                outcomes.append(outcome)
                findings += seen
                if _is_lost(seen):
                    break
        except UnreadableInput as error:
            findings += error.findings
        if _is_lost(findings):
            findings += [_untouched(later) for later in studies[at + 1 :]]
            break
    if not outcomes and not any(CODES[f.code].severity is Severity.UNREADABLE for f in findings):
        findings += [_nothing_chosen(study, (), modalities) for study in studies]
    return Fetched(series=tuple(outcomes), findings=tuple(dict.fromkeys(findings)))


def _fetch_series(
    archive: Archive, series: FoundSeries, out: Path, tell: Callable[[Progress], None]
) -> tuple[FetchedSeries, list[Finding]]:
    listed = archive.instances(series)
    n_listed = max(len(listed), series.n_instances or 0)
    folder = out / series.study_uid / series.uid
    _make(folder)
    missing = {
        uid: kind for uid, kind in listed.items() if not is_present(folder / f"{uid}.dcm", series, uid)
    }
    n_present = len(listed) - len(missing)
    tell(Progress(series=series, n_here=n_present, n_listed=n_listed))
    reasons: list[Finding] = []

    def keep(content: bytes | memoryview) -> None:
        try:
            uid = instance_uid(content, series)
            if uid not in missing:
                raise UnreadableInput.of(
                    "PACS_ANSWER_INVALID",
                    "the archive sent an instance that was not asked for",
                    expected="instances that it lists",
                    where=f"series {series.uid}",
                )
        except UnreadableInput as error:
            reasons.extend(error.findings)
            return
        write_whole(folder / f"{uid}.dcm", lambda file: _write(file, content))
        del missing[uid]
        tell(Progress(series=series, n_here=len(listed) - len(missing), n_listed=n_listed))

    n_asked = len(missing)
    said: tuple[str, ...] = ()
    try:
        for turn in range(_PASSES):
            if missing:
                is_whole = turn == 0 and len(missing) == len(listed)
                said = archive.retrieve(series, dict(missing), keep, is_whole=is_whole)
    except UnreadableInput as error:
        reasons.extend(error.findings)
    outcome = FetchedSeries(
        series=series,
        folder=folder,
        n_listed=n_listed,
        n_present=n_present,
        n_fetched=n_asked - len(missing),
    )
    told = list(dict.fromkeys(reasons))
    findings = told[:_REASONS] + [finding for finding in told[_REASONS:] if _is_lost([finding])]
    if outcome.n_missing:
        findings.append(_incomplete(outcome, said))
    return outcome, findings + _unlisted(folder, listed)


def _write(file: object, content: bytes | memoryview) -> None:
    file.write(content)  # type: ignore[attr-defined] # a binary file


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputFailed.of(
            "OUTPUT_FAILED",
            f"{folder} could not be made: {error.strerror or error}",
            expected="a folder that can be written, with room",
            path=str(folder),
        ) from error


def _is_lost(findings: Iterable[Finding]) -> bool:
    """Whether there is no use in asking the archive any more."""
    return any(f.code in {"PACS_UNREACHABLE", "PACS_REFUSED", "PACS_NOT_TRUSTED"} for f in findings)


def _incomplete(outcome: FetchedSeries, said: Sequence[str]) -> Finding:
    words = f" ({'; '.join(said[:_REASONS])})" if said else ""
    return Finding(
        code="FETCH_INCOMPLETE",
        found=f"{outcome.n_missing} of {outcome.n_listed} instances are missing{words}",
        expected="every instance that the archive lists",
        remedy="run the same command again: what is here is not fetched again",
        where=f"series {outcome.series.uid}",
        path=str(outcome.folder),
    )


def _untouched(study: FoundStudy) -> Finding:
    return Finding(
        code="FETCH_INCOMPLETE",
        found="nothing of it was fetched",
        expected="every instance that the archive lists",
        remedy="run the same command again: what is here is not fetched again",
        where=f"study {study.uid}",
    )


def _not_found(query: Query, studies: Sequence[FoundStudy]) -> Iterable[Finding]:
    there = {study.uid for study in studies}
    for uid in query.study_uids:
        if uid not in there:
            yield _no_study(f"study {uid}")
    if not query.study_uids and not studies:
        yield _no_study("")


def _no_study(where: str) -> Finding:
    return Finding(
        code="STUDY_NOT_FOUND",
        found="the archive has no such study" if where else "no study of the archive fits",
        expected="a study that it lists",
        remedy="--list shows what it has",
        where=where,
    )


def _nothing_chosen(study: FoundStudy, every: Sequence[FoundSeries], modalities: Sequence[str]) -> Finding:
    has = sorted({series.modality for series in every}) or study.modalities
    return Finding(
        code="NO_SERIES_TO_FETCH",
        found=f"no series of {', '.join(modalities)}; it has {', '.join(has) or 'none'}",
        expected="a series of one of these modalities",
        remedy="--modality",
        where=f"study {study.uid}",
    )


def _unlisted(folder: Path, listed: Mapping[str, str]) -> list[Finding]:
    names = {f"{uid}.dcm" for uid in listed}
    n = sum(path.name not in names for path in folder.glob("*.dcm"))
    if not n:
        return []
    return [
        Finding(
            code="FETCH_UNLISTED_FILES",
            found=f"{n} files that the archive does not list",
            expected="the files of this series alone",
            remedy="remove them, if the archive is right",
            where=f"series {folder.name}",
            path=str(folder),
        )
    ]
