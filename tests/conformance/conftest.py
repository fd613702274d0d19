"""A phantom written as files, opened as any study, and judged; and the real data beside the repository."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from petquant_phantoms import Definition, Study, write_datasets, write_study
from pydicom.dataset import Dataset

from petquant.flags import refusals_of
from petquant.overrides import Overrides
from petquant.study import Choices, PetStudy, open_study
from petquant.suv.conversion import SuvConversion

DATA = Path(__file__).parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Judged:
    opened: PetStudy
    suv_types: tuple[str, ...]
    study: Study | None = None

    @property
    def conversion(self) -> SuvConversion:
        return self.opened.conversion

    @property
    def findings(self):
        return (*self.opened.findings, *self.conversion.findings)

    @property
    def codes(self) -> set[str]:
        return {finding.code for finding in self.findings}

    def refusals(self, *, is_strict: bool = False) -> set[str]:
        of_files = refusals_of(self.opened.findings, is_strict=is_strict)
        of_suv = self.conversion.refusals(self.suv_types, is_strict=is_strict)
        return {finding.code for finding in (*of_files, *of_suv)}

    def factors(self, suv_type: str = "bw") -> np.ndarray | None:
        """SUV per rescaled value, one a slice."""
        scale = self.conversion.scale(suv_type)
        n = len(self.opened.stack.instances)
        return None if scale is None else np.broadcast_to(np.asarray(scale.factor, dtype=np.float64), (n,))

    def error(self, factor: Any = None) -> float:
        """Largest relative error of the factor against the truth, or against the one given."""
        truth = self.study.truth["suv"]["factor"] if factor is None else factor
        found = self.factors()
        assert found is not None, f"no factor: {sorted(self.refusals())}"
        return float(np.abs(found / np.asarray(truth) - 1.0).max())

    def message(self, code: str) -> str:
        return " | ".join(finding.line() for finding in self.findings if finding.code == code)

    def candidate(self, name: str):
        verdict = self.conversion.timing.verdict
        assert verdict is not None
        return next(one for one in verdict.candidates if one.id == name)


def opened(folder: Path, overrides: dict[str, Any] | None = None, **choices: Any) -> PetStudy:
    return open_study(folder, Choices(overrides=Overrides(**(overrides or {})), **choices))


@pytest.fixture
def judge(tmp_path: Path) -> Callable[..., Judged]:
    """Write the images of a phantom and judge their headers; each call in a folder of its own."""
    count = iter(range(1_000_000))

    def of_definition(
        definition: Definition,
        *,
        edit: Callable[[Dataset, int], None] | None = None,
        suv_types: tuple[str, ...] = ("bw",),
        overrides: dict[str, Any] | None = None,
        **choices: Any,
    ) -> Judged:
        study = write_study(definition, tmp_path / str(next(count)), edit=edit, has_region_files=False)
        return Judged(opened(study.dicom, overrides, suv_types=suv_types, **choices), suv_types, study)

    return of_definition


@pytest.fixture
def judge_files(tmp_path: Path) -> Callable[..., Judged]:
    """Write datasets as files of one folder and judge them."""
    count = iter(range(1_000_000))

    def of_datasets(
        datasets: Sequence[Dataset],
        *,
        suv_types: tuple[str, ...] = ("bw",),
        overrides: dict[str, Any] | None = None,
        **choices: Any,
    ) -> Judged:
        folder = tmp_path / f"files{next(count)}"
        write_datasets(datasets, folder)
        return Judged(opened(folder, overrides, suv_types=suv_types, **choices), suv_types)

    return of_datasets


@pytest.fixture
def judge_real() -> Callable[..., Judged]:
    """Judge a folder of the real data; skip where there is none."""

    def of_folder(name: str, *, suv_types: tuple[str, ...] = ("bw",), **choices: Any) -> Judged:
        return Judged(opened(real(name), suv_types=suv_types, **choices), suv_types)

    return of_folder


def real(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip("the real data is not beside the repository")
    return path


@pytest.fixture(scope="session")
def real_path() -> Callable[[str], Path]:
    return real
