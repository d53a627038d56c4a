"""Parquet: one row a sample, one column a lead, and maybe columns of times."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError, MissingExtraError
from ectopy.formats.clocks import parse_clock
from ectopy.formats.leads import Stated, check_size
from ectopy.formats.library_errors import raising_data_error
from ectopy.formats.row_times import StatedRates, columns_to_read, first_start, place_rows
from ectopy.formats.sample_table import Column, Header, choose_columns, header_of
from ectopy.recording import Recording

_BLOCK_ROWS = 2**16
_HEAD_ROWS = 1000
_INDEX_PREFIX = "__index_level_"  # what pandas calls an index without a name


def read(path: Path, stated: Stated) -> Recording:
    """Read columns of numbers, named as the leads; see `ectopy.formats.csv.read`.

    Raises
    ------
    DataError
        If the file is not such a table, is damaged or too large, or rate or unit are not stated.
    MissingExtraError
        If pyarrow is not installed.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError.of("formats", "reading .parquet files") from error
    with path.open("rb") as stream, raising_data_error(f"{path} is not a whole .parquet file; write it again."):
        return _read(path, parquet.ParquetFile(stream), stated)


def _read(path: Path, file: Any, stated: Stated) -> Recording:
    schema, rows = file.schema_arrow, file.metadata.num_rows
    fields = [schema.field(place) for place in range(len(schema.names))]
    first = next(file.iter_batches(_HEAD_ROWS), None)
    values = [_first_values(path, field, None if first is None else first.column(i)) for i, field in enumerate(fields)]
    columns = choose_columns(path, _headers(fields), values, stated)
    check_size(path, rows, len(columns.read))
    for lead in columns.read:
        if not _is_number(fields[lead].type):
            raise DataError(
                f"{path} has values of type {fields[lead].type} in the column {fields[lead].name!r}; expected numbers."
            )

    read = [fields[column] for column in columns_to_read(columns, values)]
    batches = file.iter_batches(_BLOCK_ROWS, columns=[field.name for field in read])
    return place_rows(
        path,
        columns,
        (np.column_stack([_numbers(path, field, batch.column(field.name)) for field in read]) for batch in batches),
        rows,
        values,
        StatedRates(None, 0.0, stated.sampling_rate_hz),
        _start(first_start(columns, values), [fields[column] for column in columns.times]),
    )


def _headers(fields: list[Any]) -> list[Header | None]:
    """Names and units; a column of times states its unit by its type."""
    names = ["" if field.name.startswith(_INDEX_PREFIX) else field.name for field in fields]
    if [name for name in names if name.isdecimal()] == [str(place) for place in range(sum(map(bool, names)))]:
        return [None if name else Header("", "") for name in names]  # numbered by pandas
    return [
        Header(name or "time", field.type.unit) if _is_time(field.type) else header_of(name, "")
        for name, field in zip(names, fields, strict=True)
    ]


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_floating(kind) or types.is_integer(kind))


def _is_time(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_timestamp(kind) or types.is_duration(kind) or types.is_time(kind))


def _first_values(path: Path, field: Any, column: Any) -> Column:
    if _is_number(field.type) or _is_time(field.type):
        return np.empty(0) if column is None else _numbers(path, field, column)
    return [] if column is None else [str(value) for value in column.to_pylist()]


def _numbers(path: Path, field: Any, column: Any) -> NDArray[np.float64]:
    """The numbers of a column, NaN where they are missing; times count the unit of their type."""
    from pyarrow import int32, int64

    if _is_number(field.type):
        return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
    if _is_time(field.type):
        whole = column.cast(int32()).cast(int64()) if field.type.bit_width == 32 else column.cast(int64())
        return np.asarray(whole.to_numpy(zero_copy_only=False), np.float64)
    clocks = [parse_clock(str(value)) for value in column.to_pylist()]
    if clocks and all(clock is None for clock in clocks):
        raise DataError(f"{path} has values of type {field.type} in the column {field.name!r}; expected times.")
    return np.array([np.nan if clock is None else clock.seconds for clock in clocks])


def _start(start: datetime | None, times: list[Any]) -> datetime | None:
    """A start without a time zone, where the column of times has none."""
    from pyarrow import types

    zoned = not any(types.is_timestamp(field.type) and field.type.tz is None for field in times)
    return start if start is None or zoned else start.replace(tzinfo=None)
