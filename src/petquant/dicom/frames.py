"""A frame is one time span, or one gate, of a series that holds several at every slice position.

NumberOfTimeSlices alone is never a reason (static GE whole-body series write the bed number there), nor is a
TriggerTime that is the same everywhere (suv.md section 14).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from petquant.dicom.scan import Instance
from petquant.dicom.series import Series
from petquant.dicom.tags import TAG
from petquant.errors import Finding, UsageError

__all__ = ["one_frame"]

_SAME_PLACE_MM: Final = 0.01

_Time = tuple[str, float, float, float, float, int]  # date, clock, reference, trigger, index, ImageIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    instances: tuple[Instance, ...]

    def words(self, number: int) -> str:
        first = min(self.instances, key=_time)
        start = (
            first.text(TAG["AcquisitionTime"]) or first.text(TAG["AcquisitionDateTime"]) or "unknown start"
        )
        duration = first.text(TAG["ActualFrameDuration"]).removesuffix(".0") or "unknown"
        trigger = first.text(TAG["TriggerTime"])
        gate = f", trigger {trigger} ms" if trigger else ""
        return f"{number} ({start}, {duration} ms{gate}, {len(self.instances)} slices)"


def one_frame(
    series: Series, *, frame: int | None = None, gate: int | None = None
) -> tuple[Series, tuple[Finding, ...]]:
    """Return the series with one image a position, and what is to be said of it.

    Parameters
    ----------
    frame, gate
        Number of the time frame or gate, from 1, in the order of time.

    Returns
    -------
    The series reduced to the chosen frame; without a choice where one is needed, reduced to the first, with
    the refusal SERIES_DYNAMIC or SERIES_GATED among the findings, so that the header can still be judged.

    Raises
    ------
    UsageError
        When there is no frame of that number.
    """
    if frame is not None and gate is not None:
        raise UsageError.of("OPTION_INVALID", "--frame and --gate together", expected="one of them")
    is_gated = _is_gated(series)
    frames = _frames(series)
    name, chosen = ("gate", gate) if is_gated else ("frame", frame)
    wrong = frame if is_gated else gate
    if wrong is not None:
        what = "gated" if is_gated else "not gated"
        raise UsageError.of(
            "OPTION_INVALID", f"the series is {what}", expected=f"--{name} N", where="--frame"
        )
    if chosen is not None:
        if not 1 <= chosen <= len(frames):
            raise UsageError.of(
                "OPTION_INVALID",
                str(chosen),
                expected=f"a number from 1 to {len(frames)}: {_list(frames)}",
                where=f"--{name}",
            )
        one = frames[chosen - 1]
        findings: tuple[Finding, ...] = ()
        if len(frames) > 1 or is_gated or _is_dynamic(series):
            found = f"{name} {one.words(chosen)} of {len(frames)}"
            findings = (Finding(code="FRAME_CHOSEN", found=found, where=f"series {series.uid}"),)
        return series.of(one.instances), findings
    if not (is_gated or len(frames) > 1 or _is_dynamic(series)):
        return series, ()
    refusal = Finding(
        code="SERIES_GATED" if is_gated else "SERIES_DYNAMIC",
        found=f"{len(frames)} {name}{'s' if len(frames) > 1 else ''}: {_list(frames)}",
        expected="one image at every position",
        remedy=f"--{name} N",
        where=f"series {series.uid}",
    )
    return series.of(frames[0].instances), (refusal,)


def _frames(series: Series) -> list[_Frame]:
    """Return the n-th images in time of every position, for n from 1: as many as repeat anywhere."""
    places: dict[tuple[int, ...] | bytes, dict[_Time, list[Instance]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for instance in series.instances:
        places[_place(instance)][_time(instance)].append(instance)
    n = max(len(times) for times in places.values())
    if n == 1:
        return [_Frame(instances=series.instances)]
    collected: list[list[Instance]] = [[] for _ in range(n)]
    for times in places.values():
        for number, time in enumerate(sorted(times)):
            collected[number] += times[time]
    return [_Frame(instances=tuple(instances)) for instances in collected]


def _place(instance: Instance) -> tuple[int, ...] | bytes:
    raw = instance.values.get(TAG["ImagePositionPatient"], b"")
    try:
        return tuple(
            round(number / _SAME_PLACE_MM) for number in instance.numbers(TAG["ImagePositionPatient"])
        )
    except (ValueError, OverflowError):  # not a number, not finite: the stack says so
        return raw


def _time(instance: Instance) -> _Time:
    return (
        instance.text(TAG["AcquisitionDate"]) or instance.text(TAG["AcquisitionDateTime"]),
        _number(instance.text(TAG["AcquisitionTime"]).replace(":", "")),
        _number(instance.text(TAG["FrameReferenceTime"])),
        _number(instance.text(TAG["TriggerTime"])),
        _number(instance.text(TAG["TemporalPositionIndex"])),
        _place_in_index(instance),
    )


def _place_in_index(instance: Instance) -> int:
    """Return which time slice ImageIndex (0054,1330) says this is, from 0 (PS3.3 C.8.9.4.1.9)."""
    n_slices, image_index = instance.integer(TAG["NumberOfSlices"]), instance.integer(TAG["ImageIndex"])
    if not n_slices or not image_index or _series_type(instance) not in {"DYNAMIC", "GATED"}:
        return 0
    return (image_index - 1) // n_slices


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return -1.0
    return number if number == number else -1.0  # noqa: PLR0124 - nan has no place in an order


def _series_type(instance: Instance) -> str:
    words = instance.texts(TAG["SeriesType"])
    return words[0].upper() if words else ""


def _is_dynamic(series: Series) -> bool:
    return any(_series_type(instance) == "DYNAMIC" for instance in series.instances)


def _is_gated(series: Series) -> bool:
    """Whether the series says so, counts several time slots, or triggers differ at one position."""
    triggers: dict[tuple[int, ...] | bytes, set[str]] = defaultdict(set)
    for instance in series.instances:
        if _series_type(instance) == "GATED" or (instance.integer(TAG["NumberOfTimeSlots"]) or 0) > 1:
            return True
        trigger = instance.text(TAG["TriggerTime"])
        if trigger:
            triggers[_place(instance)].add(trigger)
    return any(len(found) > 1 for found in triggers.values())


def _list(frames: list[_Frame]) -> str:
    return ", ".join(frame.words(number) for number, frame in enumerate(frames, start=1))
