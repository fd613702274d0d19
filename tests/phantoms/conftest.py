"""Make the plain reader of these tests importable whatever the import mode."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def plain_suv():
    path = Path(__file__).with_name("plain_suv.py")
    spec = importlib.util.spec_from_file_location("plain_suv", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
