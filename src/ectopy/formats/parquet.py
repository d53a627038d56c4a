"""Parquet: one row a sample, one column a lead, and maybe a column ``time`` in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ectopy.errors import DataError, MissingExtraError
from ectopy.formats.columns import choose_columns, on_grid, to_samples
from ectopy.formats.leads import Stated, check_size
from ectopy.formats.rim import refusing
from ectopy.recording import Recording

_BLOCK_ROWS = 2**16
_INDEX_PREFIX = "__index_level_"  # what pandas calls an index without a name


def read(path: Path, stated: Stated) -> Recording:
    """Read columns of numbers, named as the leads; see `ectopy.formats.delimited.read`.

    Raises
    ------
    DataError
        If the file is no such table, is damaged or too large, or rate or unit are not stated.
    MissingExtraError
        If pyarrow is not installed.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError.of("formats", "reading .parquet files") from error
    with path.open("rb") as stream, refusing(f"{path} is not a whole .parquet file; write it again."):
        return _read(path, parquet.ParquetFile(stream), stated)


def _read(path: Path, file: Any, stated: Stated) -> Recording:
    from pyarrow import types

    schema = file.schema_arrow
    names = ["" if name.startswith(_INDEX_PREFIX) else name for name in schema.names]
    columns = choose_columns(path, names, stated)
    rows = file.metadata.num_rows
    check_size(path, rows, len(columns.leads))
    wanted = [*columns.leads, *([] if columns.time is None else [columns.time])]
    for column in wanted:
        kind = schema.field(column).type
        if not (types.is_floating(kind) or types.is_integer(kind)):
            raise DataError(f"{path} has values of type {kind} in the column {names[column]!r}; expected numbers.")
    samples = np.empty((rows, len(columns.leads)), np.float32)
    times = None if columns.time is None else np.empty(rows)
    filled = 0
    for batch in file.iter_batches(_BLOCK_ROWS, columns=[schema.names[column] for column in wanted]):
        end = filled + batch.num_rows
        table = {name: batch.column(name) for name in batch.schema.names}
        values = [table[schema.names[column]].to_numpy(zero_copy_only=False).astype(np.float64) for column in wanted]
        samples[filled:end] = to_samples(np.column_stack(values[: len(columns.leads)]), columns)
        if times is not None:
            times[filled:end] = values[-1]
        filled = end
    signal, rate = on_grid(path, samples, times, stated)
    return Recording(signal, rate, columns.names, source=str(path))
