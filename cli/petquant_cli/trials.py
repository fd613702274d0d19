"""A trial is one phantom in one dialect, measured as a user would and judged by its truth.

Most trials run in this process; one a definition runs the whole command in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from petquant_phantoms.definition import Definition
    from petquant_phantoms.study import Study

    from petquant.validation import Check, Measured

__all__ = ["Trial", "run_trial", "trials"]

SMALL: Final = (12, 32, 32)  # slices, rows, columns up to which a definition is tried in every dialect
EVERY_AXIS: Final = "tiny"  # the definition that is tried in all units, encodings and spellings as well
TIMEOUT_S: Final = 300.0
_COMMAND: Final = "from petquant_cli.main import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One phantom in one dialect.

    Parameters
    ----------
    phantom
        Name in the catalogue.
    variant
        The dialect in words; empty for the definition's own.
    definition
        What is written.
    form
        Which form of the lesions is measured, from 0; None takes the one that a user would.
    is_whole
        Whether the command runs in a process of its own.
    """

    phantom: str
    variant: str
    definition: Definition
    form: int | None = None
    is_whole: bool = False


def trials(only: tuple[str, ...] = (), *, is_quick: bool = False) -> list[Trial]:
    """Return the trials of a validation.

    Parameters
    ----------
    only
        Names of phantoms; all when empty.
    is_quick
        A few dialects of the smallest phantoms, whose run takes seconds.
    """
    from petquant_phantoms import catalogue

    made: list[Trial] = []
    for name in catalogue.names():
        if only and name not in only:
            continue
        definition = catalogue.load(name)
        if is_quick and not (_is_small(definition) or only):
            continue
        made += _own_dialect(name, definition, is_quick=is_quick)
        if _is_small(definition) and not is_quick:
            made += _dialects(name, definition)
    for name in catalogue.header_cases():
        group = name.partition("/")[0]
        is_wanted = name in only or group in only if only else group != "ibsi_suv"
        if is_wanted and (only or not is_quick or group == "ibsi_suv_small"):
            made.append(Trial(phantom=name, variant="", definition=catalogue.load(name)))
    return made


def _is_small(definition: Definition) -> bool:
    return all(n <= most for n, most in zip(definition.grid.shape, SMALL, strict=True))


def _own_dialect(name: str, definition: Definition, *, is_quick: bool) -> Iterator[Trial]:
    from petquant_phantoms.region_files import forms_of
    from petquant_phantoms.regions import groups_of

    lesions = [group for group in groups_of(definition) if group.name == "lesions"]
    forms = forms_of(definition, lesions[0]) if lesions else ()
    for number, form in enumerate(forms):
        kind = form.removeprefix("rois/lesions").strip(".") or "masks"
        yield Trial(phantom=name, variant=kind, definition=definition, form=number)
    if not is_quick or name == EVERY_AXIS:
        yield Trial(phantom=name, variant="command", definition=definition, is_whole=True)


def _dialects(name: str, definition: Definition) -> Iterator[Trial]:
    """Yield every vendor with every decay correction and object; of one definition, every other axis too."""
    from petquant_phantoms.dialects import DIALECTS
    from petquant_phantoms.variants import UNITS, combinations, header_variants

    has_every_axis = name == EVERY_AXIS
    units = UNITS if has_every_axis else ("BQML",)
    variants = list(combinations(definition, units=units, transfer_syntaxes=("explicit",)))
    if has_every_axis:
        variants += combinations(definition, vendors=("siemens",), decays=("START",), units=("BQML",))
        for vendor in DIALECTS:
            variants += [
                type(variant)(name=f"{vendor}-{variant.name}", definition=variant.definition)
                for variant in header_variants(definition.in_dialect(vendor=vendor))
            ]
    for variant in variants:
        yield Trial(phantom=name, variant=variant.name, definition=variant.definition)


def run_trial(trial: Trial) -> tuple[Check, ...]:
    """Build the phantom in a folder that goes again, measure it, and return the checks of its truth."""
    from petquant_phantoms.study import write_study

    from petquant.validation import judge

    with TemporaryDirectory(prefix="petquant-validate-") as folder:
        study = write_study(trial.definition, folder)
        measured = _by_command(study, trial) if trial.is_whole else _in_process(study, trial)
        truth = study.truth | {"phantom": trial.phantom}
        return judge(truth, measured, variant=trial.variant)


def _in_process(study: Study, trial: Trial) -> Measured:
    from petquant.errors import PetquantError
    from petquant.export.record import Privacy, record_of
    from petquant.quantify import Background, quantify
    from petquant.roi import Reading, VoxelValues
    from petquant.study import Choices
    from petquant.validation import measured_of_record, refused

    reading = Reading(values=VoxelValues.OCCUPANCY if _has_fractions(study, trial) else None)
    backgrounds = [Background(name=name, path=str(path)) for name, path in study.backgrounds.items()]
    try:
        quantification = quantify(
            study.dicom,
            [_regions(study, trial)],
            labels=_labels(study, trial),
            backgrounds=backgrounds,
            choices=Choices(reading=reading),
        )
    except PetquantError as error:
        return refused(error)
    return measured_of_record(record_of(quantification, Privacy()), names=_names(study))


def _by_command(study: Study, trial: Trial) -> Measured:
    from petquant.validation import Measured, measured_of_record

    command = [sys.executable, "-c", _COMMAND, "suv", str(study.dicom), "--roi", str(_regions(study, trial))]
    labels = _labels(study, trial)
    command += ["--labels", str(labels)] if labels is not None else []
    command += ["--roi-values", "occupancy"] if _has_fractions(study, trial) else []
    for name, path in study.backgrounds.items():
        command += ["--background", f"{name}={path}"]
    command += ["--format", "json", "--messages", "json"]
    done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)  # noqa: S603 - this interpreter and paths of our own
    if done.returncode == 0:
        return measured_of_record(json.loads(done.stdout), names=_names(study))
    return Measured(exit_code=done.returncode, codes=tuple(_codes(done.stderr.decode("utf-8", "replace"))))


def _codes(messages: str) -> Iterator[str]:
    for line in messages.splitlines():
        try:
            message: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict) and message.get("exit_code"):
            yield str(message["code"])


def _regions(study: Study, trial: Trial) -> Path:
    if trial.form is not None:
        lesions = [entry for entry in study.truth["regions"] if entry["role"] == "lesion"]
        return study.root / str(lesions[0]["files"][trial.form])
    if study.lesions is None:
        raise LookupError(f"{trial.phantom} has no lesion")
    return study.lesions


def _labels(study: Study, trial: Trial) -> Path | None:
    return study.labels if _regions(study, trial).name.endswith(".nii.gz") else None


def _has_fractions(study: Study, trial: Trial) -> bool:
    is_fractional = trial.definition.segmentation_type == "FRACTIONAL"
    return is_fractional and _regions(study, trial).name.endswith(".nii.gz")


def _names(study: Study) -> dict[str, str]:
    """Return the names of regions by their number, for forms that carry none."""
    return {
        str(entry["label"]): entry["name"] for entry in study.truth["regions"] if entry["role"] == "lesion"
    }
