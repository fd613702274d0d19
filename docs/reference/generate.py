"""The reference pages are made from the tables of petquant: run this file to write them anew.

Nothing on those pages is written by hand but the head of each; a test compares the files with what is made
here.
"""  # noqa: INP001 - a script that lies beside the pages it makes

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import typer.main
from json_contract import (
    CHECK_RECORD,
    COMPARISON_RECORD,
    CSV_COLUMNS,
    DISCOVER_RECORD,
    JSON_RECORD,
    MESSAGE_RECORD,
)
from petquant_cli.main import app

from petquant.flags import CODES, Severity
from petquant.nuclides import NUCLIDES
from petquant.quantities import QUANTITIES, Scope
from petquant.reads.clinical import CLINICAL_COLUMNS
from petquant.reads.criterion import Threshold, criteria
from petquant.reads.positivity import VISUAL, rules
from petquant.reads.protocol import Protocol, protocols
from petquant.reads.repeatability import PublishedRepeatability, repeatability_table
from petquant.reads.uncertainty import DEFAULTS
from petquant.suv.normalisation import NORMALISATIONS
from petquant.tracers import TRACERS

HERE = Path(__file__).parent
MADE = "Made by `python docs/reference/generate.py` from the tables of petquant. Do not edit."

EFFECTS: dict[Severity, tuple[str, str]] = {
    Severity.REFUSE: ("Refusals", "The data can be read, but the number would not be safe. Exit code 4."),
    Severity.FLAG: (
        "Flags",
        (
            "The number is computed; the code stands beside it in every output. With `--strict` the codes "
            "marked *strict* refuse (exit code 4)."
        ),
    ),
    Severity.INFO: ("Notes", "Computed, worth knowing. Never refused."),
    Severity.UNREADABLE: ("Unreadable input", "What cannot be read for certain. Exit code 3."),
    Severity.LIMIT: ("Limits", "More than an honest file needs. Exit code 7."),
    Severity.USAGE: ("Usage", "The command line cannot be meant. Exit code 2."),
    Severity.OUTPUT: ("Output", "Exit code 6."),
}

SCOPES: dict[Scope, tuple[str, str]] = {
    Scope.REGION: ("Of a region", "One row a region and SUV type."),
    Scope.FURTHER: ("Of a region, with `--more`", "In the same rows, after the others."),
    Scope.ACTIVITY: (
        "Of a region, when SUV was refused",
        (
            "Given with `--background`, together with the flag `SUV_UNAVAILABLE_TBR_VALID`; in the unit that "
            "the column `unit` names. The `suv_*` columns are then empty."
        ),
    ),
    Scope.RATIO: (
        "Ratios",
        "Three columns a background; `NAME` is its name in `--background NAME=FILE`.",
    ),
    Scope.REFERENCE: ("Of a background", "In the JSON, under `references`."),
    Scope.STUDY: (
        "Of the study",
        "In the JSON, under `summary`, over all lesions; of the first SUV type.",
    ),
}


def pages() -> dict[str, str]:
    """Return the name of every reference page and its text."""
    return {
        "codes.md": _codes(),
        "commands.md": _commands(),
        "criteria.md": _criteria(),
        "json.md": _json(),
        "nuclides.md": _nuclides(),
        "protocols.md": _protocols(),
        "quantities.md": _quantities(),
        "repeatability.md": _repeatability(),
        "suv-types.md": _suv_types(),
        "tracers.md": _tracers(),
    }


def options_of_commands() -> dict[str, tuple[str, ...]]:
    """Return every command with all names of its options, ``--help`` among them."""
    group: Any = typer.main.get_command(app)
    commands = {"": group, **_commands_of(group)}
    return {
        name: (
            *tuple(
                option
                for parameter in command.params
                for option in (*parameter.opts, *parameter.secondary_opts)
                if option.startswith("-")
            ),
            "--help",
        )
        for name, command in commands.items()
    }


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", MADE, *(part for part in parts if part)]) + "\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _codes() -> str:
    parts = [
        (
            "Every message begins with one of these codes; they are stable. The table is "
            "`petquant.flags.CODES`; `petquant info --json` prints it."
        )
    ]
    for severity, (title, effect) in EFFECTS.items():
        rows = [row for row in CODES.values() if row.severity is severity]
        if not rows:
            continue
        has_strict = any(row.strict for row in rows)
        heads = ["code", "what was seen", "way out", *(["strict"] if has_strict else [])]
        parts.append(f"## {title}\n\n{effect}")
        parts.append(
            _table(
                heads,
                [
                    [_code(row.code), row.meaning, row.remedy]
                    + ([("strict" if row.strict else "")] if has_strict else [])
                    for row in rows
                ],
            )
        )
    return _page("Codes", *parts)


def _quantities() -> str:
    parts = [
        (
            "`x` is the value of a voxel, `w` the part of the voxel that lies in the region (1 for every "
            "voxel of a label map), `v` the volume of a voxel, `n` the number of voxels, `p` a position in "
            "DICOM patient coordinates (LPS). Why these definitions: [regions](../explanation/regions.md)."
        )
    ]
    for scope, (title, words) in SCOPES.items():
        rows = [row for row in QUANTITIES if row.scope is scope]
        parts.append(f"## {title}\n\n{words}")
        parts.append(
            _table(
                ("column", "name", "unit", "definition", "IBSI", "DICOM", "source"),
                [
                    (_code(row.column), row.name, row.unit, row.definition, row.ibsi, row.dicom, row.source)
                    for row in rows
                ],
            )
        )
    return _page("Quantities", *parts)


def _suv_types() -> str:
    return _page(
        "SUV types",
        "What `--suv` takes; `native` gives values that are stored as SUV under their own type. "
        "Every type follows from SUVbw: `SUV_x = SUVbw N_x / W`.",
        _table(
            ("name", "other names", "DICOM SUVType", "unit", "UCUM", "needs height", "needs sex", "source"),
            [
                (
                    _code(row.name),
                    ", ".join(_code(alias) for alias in row.aliases),
                    row.suv_type,
                    row.unit,
                    _code(row.ucum),
                    "yes" if row.needs_height else "",
                    "yes" if row.needs_sex else "",
                    row.source,
                )
                for row in NORMALISATIONS
            ],
        ),
        "N for the body of the IBSI SUV survey's reference object, 70 kg and 1.75 m (kg; for bsa 10 m2):",
        _table(
            ("name", "male", "female"),
            [
                (_code(row.name), f"{row.male(70.0, 1.75):.6g}", f"{row.female(70.0, 1.75):.6g}")
                for row in NORMALISATIONS
            ],
        ),
        "Sex O takes the mean of both. The formulas stand in [SUV](../explanation/suv.md#normalisations).",
    )


def _nuclides() -> str:
    return _page(
        "Nuclides",
        "The half-life of the header is used as it stands there. This table judges it (within 1 %: silent; "
        "to 10 %: flagged; beyond: refused), and replaces it with `--half-life nuclide`. There is no "
        "default nuclide. A code is recognised by its value, whatever scheme it is said to come from.",
        _table(
            ("nuclide", "half-life, s", "source", "code values"),
            [
                (row.name, f"{row.half_life_s:.10g}", row.source, ", ".join(_code(c) for c in row.codes))
                for row in NUCLIDES
            ],
        ),
    )


def _tracers() -> str:
    return _page(
        "Tracers",
        "What `--tracer` takes, by name or by any word that headers use. Uptake times outside the window are "
        "flagged with `UPTAKE_OUTSIDE_PROTOCOL`, never refused; without a window nothing is flagged.",
        _table(
            ("tracer", "nuclide", "uptake window, min", "source of the window", "code values"),
            [
                (
                    row.name,
                    row.nuclide,
                    "" if row.uptake_window_min is None else "{:g} to {:g}".format(*row.uptake_window_min),
                    row.source,
                    ", ".join(_code(c) for c in row.codes),
                )
                for row in TRACERS
            ],
        ),
    )


def _criteria() -> str:
    parts = [
        (
            "Rules and criteria as data, each number with its source. *Not verified* means that nobody of "
            "petquant saw the number at its source. No rule here is a diagnosis."
        ),
        (
            "## Positivity rules\n\nA name, or an expression: `>liver`, `>blood_pool` (also `>bp`), "
            "`>1.5*blood_pool`. Greater is strict: as much as the reference is negative. Rules are evaluated "
            "on ratios, so they need no SUV. Without the reference the call is unknown, never negative. A "
            "reader's call overrides the rule: "
            + ", ".join(f"{number} {words}" for number, words in VISUAL.items())
            + "; equivocal is unknown."
        ),
        _table(
            ("name", "rule", "verified", "source", "note"),
            [
                (
                    _code(row.name),
                    row.words,
                    "yes" if row.is_verified else "no",
                    row.citation,
                    criteria()[row.name].note,
                )
                for row in rules().values()
            ],
        ),
    ]
    for one in criteria().values():
        if one.kind == "positivity":
            continue
        parts += [
            f"## {one.title}\n\nFor {', '.join(one.tracers)}: {', '.join(one.categories)}. {one.citation}.",
            f"Note: {one.note}.",
            _table(
                ("threshold", "value", "unit", "verified", "source"),
                [_threshold(row) for row in one.thresholds.values()],
            ),
        ]
    return _page("Positivity rules and criteria", *parts)


def _threshold(row: Threshold) -> tuple[str, ...]:
    return (_code(row.name), f"{row.value:g}", row.unit, "yes" if row.is_verified else "no", row.citation)


def _protocols() -> str:
    parts = [
        (
            "What a scan and its patient are held against. Every rule gives PASS, FAIL or UNKNOWN; what is "
            "not known is never PASS, and a rule that fails flags (`PROTOCOL_NOT_MET`) and stops nothing. "
            "Identifiers of trials are provenance alone: the text of a trial is never a rule. The figures "
            "are typical ranges, not verified at each trial. A file of your own may take over a preset with "
            "`extends`."
        )
    ]
    for one in protocols().values():
        parts += [
            f"## {one.name}\n\n{one.title}; provenance: {', '.join(one.provenance) or 'none'}.",
            _table(("rule", "tracer", "expected"), _protocol_rows(one)),
            "\n".join(f"- {words}" for words in one.assumptions),
        ]
    parts += [
        (
            "## clinical.csv\n\nWhat images cannot show: comma-separated, one row a `patient` (and "
            "`session`, if that column is there). An empty cell, `NA` and `unknown` are unknown. A cell that "
            "cannot be meant is an error with its line and column. Other columns are left alone."
        ),
        _table(
            ("column", "meaning", "a cell holds"),
            [(_code(row.name), row.meaning, row.expected) for row in CLINICAL_COLUMNS],
        ),
    ]
    return _page("Protocols", *parts)


def _protocol_rows(one: Protocol) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    for name, own in one.tracers.items():
        for rule, ends, unit in (
            ("activity, target", own.activity_target_mbq, "MBq"),
            ("activity, accepted", own.activity_accepted_mbq, "MBq"),
            ("uptake window", own.uptake_window_min, "min"),
        ):
            if ends is not None:
                rows.append((rule, name, f"{ends[0]:g} to {ends[1]:g} {unit}"))
        for rule, limit, words in (
            ("glucose", own.glucose_max_mg_dl, "at most {:g} mg/dL"),
            ("fasting", own.fasting_min_h, "at least {:g} h"),
            ("eGFR", own.egfr_min, "at least {:g} mL/min/1.73 m2"),
        ):
            if limit is not None:
                rows.append((rule, name, words.format(limit)))
        rows.append(("positive", name, _code(own.positivity)))
    rows += [("CT", "", "not later than PET")] if one.ct_before_pet else []
    for rule, limit, words in (
        ("coverage", one.coverage_min_mm, "skull base to mid-thigh: z-extent of at least {:g} mm"),
        ("age", one.age_min_years, "at least {:g} years"),
        ("therapy", one.therapy_free_days, "none within {:g} days"),
        ("uptake times of one tracer", one.uptake_difference_max_min, "less than {:g} min apart"),
    ):
        if limit is not None:
            rows.append((rule, "", words.format(limit)))
    rows += [("reconstruction", "", " or ".join(one.reconstruction_expected))]
    rows += [("pregnancy", "", "neither pregnant nor breastfeeding")] if one.pregnancy_excluded else []
    rows += [("measurable disease", "", "yes")] if one.measurable_disease_needed else []
    rows += [("references", "", ", ".join(one.references)), ("regions", "", ", ".join(one.regions))]
    rows += [("time points", "", " and ".join(f"{t:g} min" for t in one.time_points_min))]
    return [row for row in rows if row[2]]


def _repeatability() -> str:
    return _page(
        "Repeatability and uncertainty",
        (
            "Published differences of two scans of one lesion. The change needed follows from the "
            "coefficient of variation within subjects, `100 (exp(-+2.77 wCV) - 1)`; where a source gives RC "
            "alone it is `-+RC`. Of [68Ga]Pentixafor no such study is known: its rows are those of "
            "[68Ga]PSMA-11, and every number that rests on them says *surrogate*. `petquant compare` takes "
            f"{', '.join(_code(one.name) for one in repeatability_table().values() if one.is_default)}"
            " unless `--repeatability` names others."
        ),
        _table(
            ("name", "what", "wCV, %", "RC, %", "change needed, %", "published", "n", "source", "note"),
            [_repeatability_row(row) for row in repeatability_table().values()],
        ),
        (
            "## Assumed uncertainties\n\nStandard uncertainties that `petquant.reads.uncertainty` takes when "
            "none is given; every result says which of its terms were assumed. What is not known (noise, "
            "partial volume, quantisation) is left out, and the result says that too. Reported is k = 2."
        ),
        _table(
            ("name", "value", "of", "source"),
            [
                (_code(row.name), f"{row.value:g} {row.unit}", row.meaning, row.source)
                for row in DEFAULTS.values()
            ],
        ),
    )


def _repeatability_row(row: PublishedRepeatability) -> tuple[str, ...]:
    def number(value: float | None) -> str:
        return "" if value is None else f"{value:g}"

    needed, limits = row.change_needed_percent, row.published_limits_percent
    published = "" if limits is None else f"{limits[0]:+g} to {limits[1]:+g} %"
    if row.cv_range_percent is not None:
        published = "CoV {:g} to {:g} %".format(*row.cv_range_percent)
    if row.difference_sd_suv is not None:
        published = f"difference {row.difference_suv:g}, SD {row.difference_sd_suv:g} SUV"
    return (
        _code(row.name),
        row.label,
        number(row.wcv_percent),
        number(row.rc_percent),
        "" if needed is None else f"{needed[0]:+.1f} to {needed[1]:+.1f}",
        published,
        row.n,
        row.citation,
        row.note,
    )


def _commands_of(group: Any, *, above: str = "") -> dict[str, Any]:
    """Return every command by its words, those of a group below one after the other."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        words = f"{above}{name}"
        inner = _commands_of(command, above=f"{words} ") if hasattr(command, "commands") else {words: command}
        found |= inner
    return found


def _commands() -> str:
    group: Any = typer.main.get_command(app)
    commands = _commands_of(group)
    wide = [commands[name] for name in ("suv", "check", "convert")]
    shared = set.intersection(*({tuple(p.opts) for p in command.params} for command in wide))
    parts = [
        (
            "`petquant COMMAND --help` says the same on the screen. stdout carries data, stderr carries "
            "words; exit codes stand in [from a shell](../how-to/shell-and-snakemake.md#exit-codes)."
        ),
        _table(
            ("command", "what it does"),
            [
                (f"[`{name}`](#petquant-{name.replace(' ', '-')})", _sentence(command.help))
                for name, command in commands.items()
            ],
        ),
    ]
    for name, command in commands.items():
        is_wide = command in wide
        arguments = [p for p in command.params if not p.opts[0].startswith("-")]
        options = [
            p for p in command.params if p not in arguments and not (is_wide and tuple(p.opts) in shared)
        ]
        usage = " ".join(["petquant", name, *(p.metavar or p.name.upper() for p in arguments), "[OPTIONS]"])
        parts.append(f"## petquant {name}\n\n{_sentence(command.help)}\n\n    {usage}")
        parts += [
            _table(
                ("argument or option", "meaning", "default"), [_parameter(p) for p in [*arguments, *options]]
            )
        ]
        if is_wide:
            parts.append("And the [shared options](#shared-options).")
    common = [p for p in wide[0].params if tuple(p.opts) in shared and p.opts[0].startswith("-")]
    header = [p for p in common if p.rich_help_panel]
    parts.append("## Shared options\n\nOf `suv`, `check` and `convert`.")
    parts.append(_table(("option", "meaning", "default"), [_parameter(p) for p in common if p not in header]))
    parts.append(
        "### In place of the header\n\nEvery one of these is recorded in the output, with the value that it "
        "replaced, and adds the code `OVERRIDE`."
    )
    parts.append(_table(("option", "meaning", "default"), [_parameter(p) for p in header]))
    return _page("Commands", *parts)


def _sentence(words: str) -> str:
    return " ".join(words.split())


def _parameter(parameter: Any) -> tuple[str, str, str]:
    """Return one row: names with their value, meaning, default."""
    if not parameter.opts[0].startswith("-"):
        return (
            _code(parameter.metavar or parameter.name.upper()),
            parameter.help,
            ("required" if parameter.required else ""),
        )
    is_switch = bool(getattr(parameter, "is_flag", False))
    value = "" if is_switch else " " + (parameter.metavar or "VALUE")
    names = ", ".join(_code(f"{name}{value}") for name in parameter.opts)
    if parameter.required:
        default = "required"
    elif is_switch or parameter.default in (None, [], ()):
        default = ""
    else:
        default = _code(str(parameter.default))
    repeatable = " Repeatable." if parameter.multiple and "repeatable" not in parameter.help else ""
    return names, parameter.help + repeatable, default


def _json() -> str:
    heads = ("key", "type", "meaning")
    parts = [
        (
            "What `petquant suv --format json` writes. Keys stand in a fixed order, numbers in full "
            "precision, undefined numbers are null; NaN never occurs. Date-times are ISO 8601 on the "
            "scanner's clock. No name, id or birth date, unless `--with-identifiers` was given."
        ),
    ]
    for title, rows in JSON_RECORD:
        parts.append(f"## {title}")
        if rows:
            parts.append(_table(heads, [(_code(key), kind, words) for key, kind, words in rows]))
        if title.startswith("`references`"):
            parts.append("And the [quantities of a background](quantities.md#of-a-background).")
        if title.startswith("`measurements`"):
            parts.append(
                "And the [quantities of a region](quantities.md#of-a-region) with its "
                "[ratios](quantities.md#ratios)."
            )
        if title.startswith("`summary`"):
            parts.append(
                "`summary` holds the [quantities of the study](quantities.md#of-the-study). `definitions` "
                "gives the definition and unit of every column, under `region`, `activity`, `ratio`, "
                "`reference` and `study`: the same name may stand in several."
            )
    parts += [
        "## With `--with-identifiers`",
        "`study` also holds `patient_name`, `patient_id`, `patient_birth_date` and `study_date`.",
        "## CSV and TSV",
        (
            "One row a region and SUV type, with the keys of `measurements` and these. A text cell that a "
            "spreadsheet would take for a formula is prefixed with an apostrophe."
        ),
        _table(("column", "type", "meaning"), [(_code(k), kind, words) for k, kind, words in CSV_COLUMNS]),
        "## petquant check",
        "What `petquant check --format json` writes.",
        _table(heads, [(_code(k), kind, words) for k, kind, words in CHECK_RECORD]),
        "## petquant discover",
        "What `petquant discover --format json` writes; its CSV has the columns of `series`.",
        _table(heads, [(_code(k), kind, words) for k, kind, words in DISCOVER_RECORD]),
        "## petquant compare",
        (
            "What `petquant compare` writes as `comparison.json`. An estimate is an object with `value`, "
            "`ci` and `method`; a test one with `test`, `p`, `statistic`, `n` and `n_clusters`. `pairs.csv` "
            "and `lesions.csv` have the columns of the quantities, in `pairs.csv` with `_a` or `_b` behind."
        ),
        _table(heads, [(_code(k), kind, words) for k, kind, words in COMPARISON_RECORD]),
        "## Messages",
        "With `--messages json` every line on stderr is one object.",
        _table(heads, [(_code(k), kind, words) for k, kind, words in MESSAGE_RECORD]),
    ]
    return _page("JSON, CSV and messages", *parts)


if __name__ == "__main__":
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8", newline="\n")
