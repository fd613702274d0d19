"""What was taken over from others is what they published, with its licence, and travels with the package."""

from __future__ import annotations

import hashlib

import pytest

from petquant.export.viewer.page import HERE, vendored

FOLDER = HERE / "niivue"


@pytest.mark.parametrize("name", sorted(vendored()["sha256"]))
def test_vendored_file_is_the_one_that_was_published(name):
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == vendored()["sha256"][name]


def test_no_vendored_file_is_without_its_hash():
    assert {path.name for path in FOLDER.iterdir()} == {*vendored()["sha256"], "vendored.toml"}


def test_the_script_can_stand_in_a_page():
    """A closing tag, a comment or a return would end it, or change it under its hash."""
    for script in (FOLDER / "niivue.umd.js", HERE / "viewer.js"):
        text = script.read_text(encoding="utf-8")
        assert "</script" not in text.lower()
        assert "<!--" not in text
        assert "\r" not in text


def test_the_page_repeats_the_licences():
    assert "Redistribution and use" in (FOLDER / "LICENSE").read_text(encoding="utf-8")
    template = (HERE / "viewer.html.j2").read_text(encoding="utf-8")
    assert "{{ licence }}" in template
    assert "{{ bundled }}" in template
