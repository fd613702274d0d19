"""The page of the validation is that of this version, of all phantoms, and without a failure."""

from __future__ import annotations

import re
from pathlib import Path

from petquant_cli.trials import trials

from petquant import __version__

PAGE = (Path(__file__).parents[2] / "docs/validation.md").read_text(encoding="utf-8")


def test_it_is_of_this_version_and_nothing_failed():
    found = re.search(r"of petquant (\S+): (\d+) trials, (\d+) checks, (\d+) failed", PAGE)
    assert found is not None
    assert found[1] == __version__
    assert int(found[4]) == 0


def test_it_is_of_all_trials():
    made = trials()
    found = re.search(r"(\d+) trials", PAGE)
    assert found is not None
    assert int(found[1]) == len(made)
    listed = set(re.findall(r"^\| ([\w/]+) \|", PAGE.partition("## Numbers")[0], flags=re.MULTILINE))
    assert listed - {"phantom"} == {trial.phantom for trial in made}
