"""Parquet: a table whose schema follows from the names of its columns alone (the extra ``parquet``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, BinaryIO, Final

from petquant.errors import UsageError

__all__ = ["write_parquet"]

GROUP_ROWS: Final = 10_000


def write_parquet(
    file: BinaryIO,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    text: frozenset[str],
    integers: frozenset[str],
) -> None:
    """Write rows, group by group.

    Parameters
    ----------
    text, integers
        Columns of that type; all others are float64.

    Raises
    ------
    UsageError
        EXTRA_MISSING, without pyarrow.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow.parquet import ParquetWriter  # noqa: PLC0415 - the same
    except ImportError as error:
        raise UsageError.of(
            "EXTRA_MISSING",
            "pyarrow is not installed",
            remedy="pip install 'petquant[parquet]'",
            where="--format parquet",
        ) from error
    types = [
        pa.string() if name in text else pa.int64() if name in integers else pa.float64() for name in columns
    ]
    schema = pa.schema(list(zip(columns, types, strict=True)))
    cells = iter(rows)
    with ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(cells, GROUP_ROWS)):
            arrays = [
                pa.array(map(_text, column) if name in text else column, kind)
                for name, kind, column in zip(columns, types, zip(*group, strict=True), strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _text(cell: Any) -> str | None:
    return None if cell is None else str(cell)
