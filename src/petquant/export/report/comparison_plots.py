"""The plots of a comparison: values by patient, agreement, changes, and regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from petquant.comparison import Comparison, TracerComparison
from petquant.export.bands import change_of
from petquant.export.comparison_tables import state_of
from petquant.export.report.page import number_words
from petquant.export.report.plots import Box, Line, Mark, Plot, Words, axis_of, frame
from petquant.export.table import as_csv
from petquant.reads.agreement import Agreement
from petquant.reads.pair import LesionPair
from petquant.reads.repeatability import Change
from petquant.statistics.estimate import Estimate

__all__ = ["agreement_plot", "change_plot", "metric_words", "paired_plot", "region_plot", "state_words"]

Row = dict[str, Any]

LEFT: Final = 58.0
TOP: Final = 30.0
HEIGHT: Final = 250.0
ROOMY: Final = 30  # patients; more stand closer
METRICS: Final = {"suv_max": "SUVmax", "suv_peak": "SUVpeak", "suv_mean": "SUVmean"}
STATISTICS: Final = ("max", "peak", "mean")


def metric_words(metric: str) -> str:
    """Return what a column is called: SUVmax, TBRmax liver."""
    if metric in METRICS:
        return METRICS[metric]
    for statistic in STATISTICS:
        head = f"tbr_{statistic}_"
        if metric.startswith(head):
            return f"TBR{statistic} {metric.removeprefix(head).replace('_', ' ')}"
    return metric


def state_words(state: str, tracers: tuple[str, str]) -> str:
    """Return a state with the names of the tracers."""
    a, b = tracers
    return {
        "both": "positive on both",
        "a_only": f"{a} only",
        "b_only": f"{b} only",
        "neither": "negative on both",
        "unknown": "a call is missing",
    }[state]


def paired_plot(one: TracerComparison, metric: str, *, id_: str) -> Plot | None:
    """Return every lesion of every patient with its value on a joined to that on b; None without any."""
    values = _values(one.pairs, metric)
    if not values:
        return None
    patients = list(dict.fromkeys(pair.patient for pair, _, _ in values))
    step = 64.0 if len(patients) <= ROOMY else 26.0
    right = LEFT + step * len(patients)
    flat = [value for _, *both in values for value in both]
    y = axis_of(flat, start=TOP + HEIGHT, end=TOP, is_log=min(flat) > 0)
    lines, texts = frame(None, y, left=LEFT, right=right)
    marks: list[Mark] = []
    for place, patient in enumerate(patients):
        at = LEFT + step * place
        columns = (at + 0.27 * step, at + 0.73 * step)
        if place:
            lines.append(Line(x=(at, at), y=(TOP, TOP + HEIGHT), kind="grid"))
        texts += [
            Words(x=x, y=TOP + HEIGHT + 16, text=letter) for letter, x in zip("AB", columns, strict=True)
        ]
        texts.append(_name(patient, at + step / 2, TOP + HEIGHT + 34, step))
        for pair, *both in values:
            if pair.patient != patient:
                continue
            state = state_of(pair.calls)
            heights = (y.at(both[0]), y.at(both[1]))
            lines.append(Line(x=columns, y=heights, kind=state))
            for letter, x, height, value, read in zip(
                "AB", columns, heights, both, (pair.a, pair.b), strict=True
            ):
                is_forced = read is not None and read.is_forced
                told = f"{patient}, {pair.lesion_id}, {letter} {number_words(value)}"
                marks.append(Mark(x=x, y=height, state=state, is_open=is_forced, words=told))
    is_turned = any(text.is_turned for text in texts)
    name = metric_words(metric)
    texts.append(
        Words(
            x=LEFT, y=16, text=f"{name}{', logarithmic' if y.is_log else ''}", anchor="start", kind="strong"
        )
    )
    a, b = (np.array([row[side] for row in values]) for side in (1, 2))
    medians = [number_words(float(np.median(one))) for one in (a, b)]
    return Plot(
        id=id_,
        title=f"{name} of every lesion on both tracers, by patient",
        words=f"{len(values)} lesions of {len(patients)} patients; median {medians[0]} on A, {medians[1]} on "
        f"B; higher on A in {int((a > b).sum())}, on B in {int((b > a).sum())}.",
        caption=f"{name}, A and B of one lesion joined; open symbols are forced reads.",
        width=right + 14,
        height=TOP + HEIGHT + (96 if is_turned else 46),
        lines=tuple(lines),
        marks=tuple(marks),
        texts=tuple(texts),
        csv=as_csv([_row(pair, metric, first, second) for pair, first, second in values]),
    )


def agreement_plot(one: TracerComparison, found: Agreement, *, id_: str, level: float) -> Plot | None:
    """Return the plot of Bland and Altman: ratio (or difference) against mean; None below three pairs."""
    limits = found.bland_altman
    if limits is None:
        return None
    is_log = limits.scale == "log-ratio"
    values = _values(one.pairs, found.metric)
    a, b = (np.array([row[side] for row in values]) for side in (1, 2))
    middle, between = (np.sqrt(a * b), a / b) if is_log else ((a + b) / 2, a - b)
    right = LEFT + 330.0
    ends = [end for each in (limits.mean, limits.lower, limits.upper) for end in _ends(each)]
    y = axis_of(
        [*between.tolist(), *ends, 1.0 if is_log else 0.0], start=TOP + HEIGHT, end=TOP, is_log=is_log
    )
    x = axis_of(middle.tolist(), start=LEFT, end=right, is_log=is_log)
    lines, texts = frame(x, y, left=LEFT, right=right)
    boxes = []
    for name, each in (("upper", limits.upper), ("mean", limits.mean), ("lower", limits.lower)):
        low, high = _ends(each)
        boxes.append(
            Box(x=LEFT, y=y.at(high), width=right - LEFT, height=y.at(low) - y.at(high), kind="band")
        )
        kind = "mean" if name == "mean" else "limit"
        lines.append(Line(x=(LEFT, right), y=(y.at(each.value), y.at(each.value)), kind=kind))
    texts += _apart(
        [
            (y.at(each.value), f"{name} {number_words(each.value)}")
            for name, each in (("upper", limits.upper), ("mean", limits.mean), ("lower", limits.lower))
        ],
        right + 6,
    )
    none = y.at(1.0 if is_log else 0.0)
    lines.append(Line(x=(LEFT, right), y=(none, none), kind="null"))
    marks = [
        Mark(
            x=x.at(float(at)),
            y=y.at(float(value)),
            state=state_of(pair.calls),
            is_open=_is_forced(pair),
            words=f"{pair.patient}, {pair.lesion_id}: {number_words(float(value))}",
        )
        for (pair, _, _), at, value in zip(values, middle, between, strict=True)
    ]
    name = metric_words(found.metric)
    of = "ratio A/B" if is_log else "difference A - B"
    against = "geometric mean of A and B" if is_log else "mean of A and B"
    texts += [
        Words(
            x=LEFT,
            y=16,
            text=f"{name}, {of}{', logarithmic' if is_log else ''}",
            anchor="start",
            kind="strong",
        ),
        Words(x=(LEFT + right) / 2, y=TOP + HEIGHT + 38, text=f"{against}, {name}"),
    ]
    ccc = found.ccc
    agreed = "" if ccc is None else f" Lin's CCC {_estimate(ccc)}."
    rows = [
        _row(pair, found.metric, first, second)
        | {"mean": float(at), "ratio" if is_log else "difference": float(value)}
        for (pair, first, second), at, value in zip(values, middle, between, strict=True)
    ]
    return Plot(
        id=id_,
        title=f"Agreement in {name}",
        words=f"{of} of {found.n} lesions: mean {_estimate(limits.mean)}, limits of agreement "
        f"{_estimate(limits.lower)} and {_estimate(limits.upper)}.{agreed}",
        caption=f"{of[0].upper() + of[1:]} of {found.n} lesions ({found.n_forced} with a forced read): mean "
        f"{_estimate(limits.mean)}, limits {_estimate(limits.lower)} and {_estimate(limits.upper)}; bands: "
        f"{level:.0%} intervals; dotted: no difference.{agreed}",
        width=right + 100,
        height=TOP + HEIGHT + 50,
        boxes=tuple(boxes),
        lines=tuple(lines),
        marks=tuple(marks),
        texts=tuple(texts),
        csv=as_csv(rows),
    )


def change_plot(one: TracerComparison, comparison: Comparison, *, id_: str) -> Plot | None:
    """Return the waterfall of the changes from a to b; None for two tracers, whose ratio is no change."""
    rows = tuple(comparison.repeatability.get(tracer) for tracer in one.tracers)
    found: list[tuple[LesionPair, Change, float]] = []
    for pair in one.pairs:
        change = change_of(pair, rows)
        if change is not None and change.percent is not None:
            found.append((pair, change, change.percent))
    row = rows[0]
    if not found or row is None:
        return None
    found.sort(key=lambda each: -each[2])
    step = max(10.0, min(36.0, 700.0 / len(found)))
    right = LEFT + step * len(found)
    needed = row.change_needed_percent or ()
    y = axis_of([0.0, *needed, *(percent for _, _, percent in found)], start=TOP + HEIGHT, end=TOP)
    lines, texts = frame(None, y, left=LEFT, right=right)
    lines += [Line(x=(LEFT, right), y=(y.at(end), y.at(end)), kind="limit") for end in needed]
    texts += _apart([(y.at(end), f"{end:+.1f} %") for end in needed], right + 6)
    lines.append(Line(x=(LEFT, right), y=(y.at(0.0), y.at(0.0)), kind="axis"))
    boxes = []
    for place, (pair, change, percent) in enumerate(found):
        ends = sorted((y.at(0.0), y.at(percent)))
        boxes.append(
            Box(
                x=LEFT + step * (place + 0.15),
                y=ends[0],
                width=0.7 * step,
                height=ends[1] - ends[0],
                kind="change" if change.exceeds_rc else "within",
                words=f"{pair.patient}, {pair.lesion_id}: {percent:+.1f} %",
            )
        )
    texts.append(
        Words(
            x=LEFT,
            y=16,
            text=f"Change of {metric_words(row.column or '')} from A to B, %",
            anchor="start",
            kind="strong",
        )
    )
    n = sum(change.exceeds_rc is True for _, change, _ in found)
    return Plot(
        id=id_,
        title="Change of every lesion from A to B",
        words=f"{n} of {len(found)} lesions change by more than repeatability; from {found[-1][2]:+.1f} to "
        f"{found[0][2]:+.1f} %.",
        caption=f"Every lesion, in order. Filled: beyond repeatability ({row.label}); open: within it; "
        "dashed: the change needed.",
        width=right + 80,
        height=TOP + HEIGHT + 20,
        boxes=tuple(boxes),
        lines=tuple(lines),
        texts=tuple(texts),
        csv=as_csv(
            [
                {
                    "patient": pair.patient,
                    "session": pair.session,
                    "pair": pair.lesion_id,
                    "region": pair.region,
                    "change_percent": percent,
                    "change_exceeds_rc": change.exceeds_rc,
                }
                for pair, change, percent in found
            ]
        ),
    )


def region_plot(one: TracerComparison, rows: Sequence[Mapping[str, Any]], *, id_: str) -> Plot | None:
    """Return what each tracer makes of every region of every patient; None where no lesion has a region."""
    own = [
        row
        for row in rows
        if (row["tracer_a"], row["tracer_b"]) == one.tracers
        and (row["session"], row["reader"]) == (one.session, one.reader)
    ]
    if not own:
        return None
    regions = sorted({str(row["region"]) for row in own})
    patients = list(dict.fromkeys(pair.patient for pair in one.pairs))
    cell, left, top = 26.0, 170.0, 100.0
    boxes, marks = [], []
    texts = [
        Words(x=left - 8, y=top + cell * (place + 0.5) + 4, text=region[:24], anchor="end")
        for place, region in enumerate(regions)
    ]
    for place, patient in enumerate(patients):
        texts.append(
            Words(
                x=left + cell * (place + 0.5) + 4,
                y=top - 8,
                text=patient[:14],
                anchor="start",
                is_turned=True,
            )
        )
    for row in own:
        x = left + cell * patients.index(row["patient"])
        y = top + cell * regions.index(str(row["region"]))
        words = f"{row['patient']}, {row['region']}: {state_words(row['state'], one.tracers)}"
        boxes.append(Box(x=x + 1, y=y + 1, width=cell - 2, height=cell - 2, kind=f"cell_{row['state']}"))
        marks.append(Mark(x=x + cell / 2, y=y + cell / 2, state=row["state"], is_open=False, words=words))
    lines = [
        Line(x=(left, left + cell * len(patients)), y=(top + cell * n, top + cell * n), kind="grid")
        for n in range(len(regions) + 1)
    ]
    lines += [
        Line(x=(left + cell * n, left + cell * n), y=(top, top + cell * len(regions)), kind="grid")
        for n in range(len(patients) + 1)
    ]
    states = [row["state"] for row in own]
    counts = ", ".join(
        f"{states.count(state)} {state_words(state, one.tracers)}" for state in dict.fromkeys(states)
    )
    kept = ("patient", "session", "region", "n_lesions", "state", "positive_a", "positive_b")
    return Plot(
        id=id_,
        title="Regions of every patient by state",
        words=f"{len(regions)} regions of {len(patients)} patients: {counts}.",
        caption="A symbol for every region with a lesion; an empty cell has none.",
        width=left + cell * len(patients) + 14,
        height=top + cell * len(regions) + 10,
        boxes=tuple(boxes),
        lines=tuple(lines),
        marks=tuple(marks),
        texts=tuple(texts),
        csv=as_csv([{name: row.get(name) for name in kept} for row in own]),
    )


def _values(pairs: Sequence[LesionPair], metric: str) -> list[tuple[LesionPair, float, float]]:
    """Return every pair that has the metric on both scans, with its values."""
    found = []
    for pair in pairs:
        if pair.a is None or pair.b is None:
            continue
        a, b = pair.a.values.get(metric), pair.b.values.get(metric)
        if a is not None and b is not None:
            found.append((pair, float(a), float(b)))
    return found


def _row(pair: LesionPair, metric: str, a: float, b: float) -> Row:
    return {
        "patient": pair.patient,
        "session": pair.session,
        "pair": pair.lesion_id,
        "region": pair.region,
        "state": state_of(pair.calls),
        "forced_a": pair.a is not None and pair.a.is_forced,
        "forced_b": pair.b is not None and pair.b.is_forced,
        f"{metric}_a": a,
        f"{metric}_b": b,
    }


def _is_forced(pair: LesionPair) -> bool:
    return any(read is not None and read.is_forced for read in (pair.a, pair.b))


def _name(patient: str, x: float, y: float, step: float) -> Words:
    """Return the name of a patient below its columns, upright where it is longer than they are wide."""
    is_short = len(patient) * 7.5 <= step
    text = patient if len(patient) <= 9 else f"{patient[:8]}…"
    if is_short:
        return Words(x=x, y=y, text=text)
    return Words(x=x + 4, y=y - 6, text=text, anchor="end", is_turned=True)


def _apart(labels: Sequence[tuple[float, str]], x: float) -> list[Words]:
    """Return words beside their heights, at least a line from each other."""
    placed: list[Words] = []
    for y, text in sorted(labels):
        at = y + 4 if not placed else max(y + 4, placed[-1].y + 14)
        placed.append(Words(x=x, y=at, text=text, anchor="start", kind="soft"))
    return placed


def _ends(each: Estimate) -> tuple[float, float]:
    return (
        each.value if each.low is None else each.low,
        each.value if each.high is None else each.high,
    )


def _estimate(each: Estimate) -> str:
    low, high = (number_words(end) if end is not None else "no bound" for end in (each.low, each.high))
    return f"{number_words(each.value)} ({low} to {high})"
