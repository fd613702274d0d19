"""The injection: when the activity entered the patient, on the clock and calendar of the scanner.

Rules: suv.md sections 5 and 6. Dates of injections are often shifted or missing, clock times rarely; with a
half-life below 11.5 h the clock time and the decay reference together give the date.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from petquant.acquisition import Clock, ClockTime, Instant, PetAcquisition, Radiopharmaceutical, Written
from petquant.errors import Finding
from petquant.overrides import Overrides, moment

__all__ = ["Injection", "inject", "on_scanner_clock"]

LONG_LIVED_S = 41400.0  # 11.5 h: with a longer half-life the date cannot be repaired (IBSI-SUV)
EARLY_S = 3600.0  # an injection up to 1 h after the reference is a dynamic scan's (IBSI-SUV)
IMPLAUSIBLE_S = 21600.0  # 6 h, or 3 half-lives when that is longer
HALF_DAY_S = 43200.0

REMEDY = "give --injection-datetime"
WAYS_OUT = {
    Clock.CALENDAR: REMEDY,
    Clock.DAY: "give --injection-time or --uptake-min",
    Clock.INTERVALS: "give --uptake-min",
}
EXPECTED = {
    "SIDECAR_TIMES_MISSING": "the seconds from TimeZero to the injection",
    "SIDECAR_INJECTION_EQUALS_SCAN": "an injection before a static scan, or --trust-sidecar-times",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """When the activity was injected.

    Parameters
    ----------
    at
        On the scanner's clock, None when it cannot be known.
    rule
        Where it comes from, in words.
    keyword, tag
        The attribute or option that gave it.
    findings
        Caveats and refusals.
    """

    at: datetime | None
    rule: str
    keyword: str = ""
    tag: str = ""
    findings: tuple[Finding, ...] = ()


def on_scanner_clock(
    written: Written[Instant], scanner_offset: timedelta | None
) -> tuple[datetime | None, tuple[Finding, ...]]:
    """Return a written instant on the scanner's clock.

    When both clocks state their offset from UTC the difference is applied; when only one does, the offset is
    ignored and flagged (suv.md section 5, rule 2).
    """
    instant = written.value
    if instant is None:
        return None, ()
    shift, findings = _between_clocks(written, instant.utc_offset, scanner_offset)
    return instant.at + shift, findings


def _between_clocks(
    written: Written[Instant] | Written[ClockTime],
    offset: timedelta | None,
    scanner_offset: timedelta | None,
) -> tuple[timedelta, tuple[Finding, ...]]:
    if offset is None and scanner_offset is None:
        return timedelta(), ()
    if offset is None or scanner_offset is None:
        which = "its own" if scanner_offset is None else "the series'"
        finding = written.finding(
            "TIMEZONE_ONE_SIDED",
            expected=f"both times with an offset from UTC; only {which} is known, it was ignored",
            remedy="check the time",
        )
        return timedelta(), (finding,)
    finding = written.finding("TIMEZONE_APPLIED", expected="times of one clock; compared in UTC")
    return scanner_offset - offset, (finding,)


def inject(
    acquisition: PetAcquisition,
    item: Radiopharmaceutical,
    overrides: Overrides,
    *,
    reference_at: datetime | None,
    half_life_s: float | None,
    earliest_at: datetime | None = None,
) -> Injection:
    """Return the time of injection.

    Parameters
    ----------
    reference_at
        Decay reference time (for series without decay correction the earliest acquisition); None when no
        time of the scan is known.
    half_life_s
        Decides whether a date may be repaired.
    earliest_at
        Earliest start of acquisition, which an uptake time counts back from.

    Notes
    -----
    A date-time within one hour after and two half-lives before the reference is used as it is. Otherwise its
    clock time is put on the date of the reference, or on the day before when that is more than one hour
    later than the reference. What a file without dates states is an interval, and is used as it is.
    """
    if overrides.uptake_min is not None:
        injection = _before_scan(item, overrides.uptake_min, reference_at, earliest_at, half_life_s)
    else:
        injection = _written(acquisition, item, overrides, reference_at, half_life_s)
    findings = (
        replace(f, remedy=f.remedy.replace(REMEDY, WAYS_OUT[acquisition.clock])) for f in injection.findings
    )
    return replace(injection, findings=tuple(findings))


def _before_scan(
    item: Radiopharmaceutical,
    uptake_min: float,
    reference_at: datetime | None,
    earliest_at: datetime | None,
    half_life_s: float | None,
) -> Injection:
    """Return the injection that many minutes before the acquisition started."""
    source: Written[Instant] = Written(
        text=f"{uptake_min:g} min",
        option="--uptake-min",
        replaced=item.injected_at.text or item.injected_clock.text,
    )
    if earliest_at is None:
        missing = source.finding(
            "INJ_TIME_MISSING", expected="a start of acquisition to count it back from", remedy=REMEDY
        )
        return Injection(at=None, rule="", findings=(missing,))
    at = earliest_at - timedelta(minutes=uptake_min)
    return Injection(
        at=at,
        rule="uptake time as given, before the acquisition",
        keyword="--uptake-min",
        findings=tuple(_result_findings(at, reference_at, half_life_s, source)),
    )


def _written(
    acquisition: PetAcquisition,
    item: Radiopharmaceutical,
    overrides: Overrides,
    reference_at: datetime | None,
    half_life_s: float | None,
) -> Injection:
    """Return the injection at the date or time that the file or the user states."""
    stamp, clock = _stated(item, overrides)
    if stamp.defect == "SIDECAR_INJECTION_EQUALS_SCAN" and overrides.trust_sidecar_times:
        stamp = replace(stamp, defect="")
    findings: list[Finding] = [
        written.finding(
            written.defect, expected=EXPECTED.get(written.defect, "a date or time"), remedy=REMEDY
        )
        for written in (stamp, clock)
        if written.defect
    ]
    if stamp.value is None and clock.value is None and not findings:
        stamp = acquisition.private.injected_at
        if stamp.value is None:
            other = item.injected_clock
            also = f", also absent from {other.keyword} {other.tag}" if other.keyword else ""
            missing = item.injected_at.finding(
                "INJ_TIME_MISSING",
                expected=f"the time of injection{also}",
                remedy=f"{REMEDY} (de-identification keeps it with Retain Longitudinal Temporal Information, "
                "113106 or 113107)",
            )
            return Injection(at=None, rule="", findings=(missing,))
        findings.append(stamp.finding("INJ_TIME_FROM_PRIVATE", expected="a public time", remedy=REMEDY))
    if stamp.value is None and clock.value is None:
        return Injection(at=None, rule="", findings=tuple(findings))

    if overrides.clock_offset_s:
        findings.append(
            Finding(
                code="CLOCK_OFFSET_APPLIED",
                found=f"injection times were moved by {overrides.clock_offset_s:g} s",
                expected="the scanner's clock",
            )
        )
    placed = _placed(
        stamp,
        clock,
        reference_at=reference_at,
        half_life_s=half_life_s,
        scanner_offset=acquisition.utc_offset,
        moved=timedelta(seconds=overrides.clock_offset_s or 0.0),
        is_interval=acquisition.clock is not Clock.CALENDAR,
    )
    findings += _disagreement(stamp, clock, acquisition.utc_offset)
    return Injection(
        at=placed.at,
        rule=placed.rule,
        keyword=placed.keyword,
        tag=placed.tag,
        findings=(*findings, *placed.findings),
    )


def _stated(item: Radiopharmaceutical, overrides: Overrides) -> tuple[Written[Instant], Written[ClockTime]]:
    """Return date-time and time of the injection; what an option gives replaces both."""
    stamp, clock = item.injected_at, item.injected_clock
    option = "--injection-time" if overrides.injection_datetime is None else "--injection-datetime"
    text = overrides.injection_datetime or overrides.injection_time
    if text is None:
        return stamp, clock
    given, replaced = moment(text), stamp.text or clock.text
    if isinstance(given, Instant):
        return Written(value=given, text=text, option=option, replaced=replaced), Written()
    return Written(), Written(value=given, text=text, option=option, replaced=replaced)


def _disagreement(
    stamp: Written[Instant], clock: Written[ClockTime], scanner_offset: timedelta | None
) -> list[Finding]:
    """Return the flag when date-time and time state clock times more than 60 s apart."""
    if stamp.value is None or clock.value is None:
        return []
    day = timedelta(days=1)
    stamped_at, _ = on_scanner_clock(stamp, scanner_offset)
    shift, _ = _between_clocks(clock, clock.value.utc_offset, scanner_offset)
    apart = (_clock_of(stamped_at or stamp.value.at) - clock.value.since_midnight - shift) % day
    if min(apart, day - apart) <= timedelta(seconds=60):
        return []
    return [
        clock.finding(
            "INJ_TIME_FIELDS_DISAGREE",
            expected=f"the clock time of {stamp.keyword} {stamp.tag} {stamp.text}, which was used",
            remedy=REMEDY,
        )
    ]


def _clock_of(at: datetime) -> timedelta:
    return at - datetime.combine(at.date(), time())


def _placed(
    stamp: Written[Instant],
    clock: Written[ClockTime],
    *,
    reference_at: datetime | None,
    half_life_s: float | None,
    scanner_offset: timedelta | None,
    moved: timedelta,
    is_interval: bool,
) -> Injection:
    """Return the injection on the calendar of the reference (suv.md section 6, steps 1 to 5)."""
    findings: list[Finding] = []
    recorded: datetime | None = None
    if stamp.value is not None:
        recorded, zone = on_scanner_clock(stamp, scanner_offset)
        findings += zone
    source = stamp if stamp.value is not None else clock
    named = {"keyword": source.option or source.keyword, "tag": "" if source.option else source.tag}
    if recorded is not None:
        recorded += moved
        if stamp.option or is_interval or reference_at is None or half_life_s is None:
            findings += _result_findings(recorded, reference_at, half_life_s, source)
            rule = "interval as written" if is_interval and not stamp.option else "date-time as given"
            return Injection(at=recorded, rule=rule, findings=tuple(findings), **named)
        ahead_s = (reference_at - recorded).total_seconds()
        if -EARLY_S <= ahead_s < 2 * half_life_s:
            findings += _result_findings(recorded, reference_at, half_life_s, source)
            return Injection(at=recorded, rule="date-time as written", findings=tuple(findings), **named)
    if half_life_s is None or reference_at is None:
        return Injection(at=None, rule="", findings=tuple(findings), **named)
    if half_life_s >= LONG_LIVED_S:
        code = "INJ_TIME_ONLY_LONG_LIVED" if recorded is None else "INJ_DATE_SHIFTED_LONG_LIVED"
        window = "" if recorded is None else f", within 2 half-lives before the scan of {reference_at}"
        findings.append(
            source.finding(
                code, expected=f"the date of injection (half-life {half_life_s:g} s){window}", remedy=REMEDY
            )
        )
        return Injection(at=None, rule="", findings=tuple(findings), **named)
    at = None
    if recorded is not None:
        at, crossed = _on_the_day_of(reference_at, _clock_of(recorded), source)
        findings += _shifted(source, recorded, at, reference_at)
        findings += crossed
    elif clock.value is not None:
        since_midnight, zone = _moved_clock(clock, clock.value, scanner_offset, moved)
        at, crossed = _on_the_day_of(reference_at, since_midnight, source)
        findings += (*zone, *crossed)
    if at is not None:
        findings += _result_findings(at, reference_at, half_life_s, source)
    return Injection(at=at, rule="clock time on the day of the reference", findings=tuple(findings), **named)


def _shifted(
    source: Written[Instant] | Written[ClockTime], recorded: datetime, at: datetime, reference_at: datetime
) -> tuple[Finding, ...]:
    """Return the flag when a recorded date-time had to be put on another day."""
    if at == recorded:
        return ()
    return (
        source.finding(
            "INJ_DATE_SHIFTED",
            expected=f"a date near the scan of {reference_at}; used as {at}",
            remedy=f"{REMEDY} (de-identification may shift dates attribute by attribute)",
        ),
    )


def _moved_clock(
    written: Written[ClockTime], clock: ClockTime, scanner_offset: timedelta | None, moved: timedelta
) -> tuple[timedelta, tuple[Finding, ...]]:
    """Return a clock time as the scanner's clock shows it."""
    shift, findings = _between_clocks(written, clock.utc_offset, scanner_offset)
    if not shift and not moved:
        return clock.since_midnight, findings
    return (clock.since_midnight + shift + moved) % timedelta(days=1), findings


def _on_the_day_of(
    reference_at: datetime, since_midnight: timedelta, source: Written[Instant] | Written[ClockTime]
) -> tuple[datetime, list[Finding]]:
    day: date = reference_at.date()
    at = datetime.combine(day, time()) + since_midnight
    if at <= reference_at + timedelta(seconds=EARLY_S):
        return at, []
    at -= timedelta(days=1)
    return at, [
        source.finding("MIDNIGHT_CROSSED", expected=f"a time before the scan; taken as {at}, the day before")
    ]


def _result_findings(
    at: datetime,
    reference_at: datetime | None,
    half_life_s: float | None,
    source: Written[Instant] | Written[ClockTime],
) -> list[Finding]:
    if reference_at is None or half_life_s is None:
        return []
    interval_s = (reference_at - at).total_seconds()
    if -EARLY_S <= interval_s < 0:
        return [
            source.finding(
                "UPTAKE_NEGATIVE",
                found=f"{at}, {-interval_s:g} s after the decay reference {reference_at}",
                expected="an injection before it, unless the scan is dynamic",
                remedy=REMEDY,
            )
        ]
    limit_s = float("inf") if half_life_s >= LONG_LIVED_S else max(IMPLAUSIBLE_S, 3 * half_life_s)
    if -EARLY_S <= interval_s <= limit_s:
        return []
    hint = ""
    if 0 <= interval_s - HALF_DAY_S <= limit_s:
        hint = f" (12 hours less would be {(interval_s - HALF_DAY_S) / 60:.0f} min: a 12-hour clock error?)"
    return [
        source.finding(
            "UPTAKE_IMPLAUSIBLE",
            found=f"{at}, {interval_s / 60:.0f} min before the decay reference {reference_at}{hint}",
            expected=f"at most {limit_s / 60:.0f} min",
            remedy=REMEDY,
        )
    ]
