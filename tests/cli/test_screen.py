"""What a narrow terminal shows: everything, if on more lines."""

import io

import pytest
from petquant_cli.screen import plain_table, print_table
from rich.console import Console

BACKGROUNDS = ("liver", "blood_pool", "spleen", "marrow", "muscle")


@pytest.mark.parametrize("width", [40, 80, 140, 300])
def test_no_column_and_no_part_of_a_number_is_lost(width):
    numbers = [f"{n}.234e-05" for n in range(9)]
    table = plain_table(
        "title",
        [("region", False), *((f"TBRmax {name}", True) for name in BACKGROUNDS), ("flags", False)],
    )
    table.add_row("1 mediastinal node", *numbers[: len(BACKGROUNDS)], "LAST")
    said = io.StringIO()
    print_table(Console(file=said, width=width, force_terminal=True, color_system=None), table)
    words = said.getvalue().split()
    for word in ("flags", "LAST", *BACKGROUNDS, *numbers[: len(BACKGROUNDS)]):
        assert word in words
