"""The oracle shares no code with what it judges."""

import ast
import subprocess
import sys
from pathlib import Path

import petquant_phantoms


def test_no_module_imports_petquant():
    for path in Path(petquant_phantoms.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                modules.append(node.module or "")
            roots = {module.split(".")[0] for module in modules}
            assert not roots & {"petquant", "petquant_cli"}, path.name


def test_using_every_module_loads_nothing_of_petquant():
    program = (
        "import sys; from petquant_phantoms import catalogue, recoveries, variants; "
        "print([name for name in sys.modules if name.split('.')[0] in ('petquant', 'petquant_cli')])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
