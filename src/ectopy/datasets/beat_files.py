"""Files of heartbeats, one beat per row, read to Beats.

=============  ==================================================================================
``.txt``       UCR archive: separated by white space, the class first
``.tsv``       UCR archive of 2018: separated by tabs, the class first
``.ts``        aeon and sktime: after ``@data`` the values, separated by commas, then ``:class``
``.arff``      Weka: after ``@data`` the values and the class, separated by commas
``.csv``       separated by commas, with or without a header. With one, the label is the column
               called ``label`` or ``class``, if there is one; without one, it is the 141st column
               (as in ``ecg.csv`` of the TensorFlow tutorial)
``.npy``       NumPy array of shape (n, 140), or (n, 141) with the label last
``.parquet``   140 columns in order, and maybe one called ``label`` or ``class``
=============  ==================================================================================

Labels mean the same in all of them: ``1``, ``normal`` or ``N`` is a normal beat, ``0`` or
``abnormal`` an abnormal one, ``2`` to ``5`` one of the abnormal classes of ECG5000.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import checked
from ectopy.beats import (
    BEAT_SAMPLES,
    NORMAL_LABEL,
    UNSPECIFIED_ABNORMAL_LABEL,
    BeatLayout,
    Beats,
)
from ectopy.errors import DataError, MissingExtraError, SettingError

ECG5000_LAYOUT = BeatLayout("ecg5000", BEAT_SAMPLES, None, "z-score")

MAX_FILE_BYTES = 4 * 2**30
"""Largest file that is read, in bytes."""
MAX_BEATS = 2_000_000
"""Most beats that are read from one file, about three weeks of heartbeats."""
MAX_LINE_CHARACTERS = 1_000_000
"""Longest line that is read from a text file."""

_MAX_LABEL_BYTES = 64 * 2**20
_LABEL_CHARACTERS = 40
_LABEL_NAMES = ("label", "class")
_NAMED_LABELS = {
    "normal": NORMAL_LABEL,
    "abnormal": UNSPECIFIED_ABNORMAL_LABEL,
}
_LARGEST_CLASS = 5
_MISSING_VALUES = ("", "?", "na")
_EXPECTED_COLUMNS = f"{BEAT_SAMPLES} columns of numbers, or {BEAT_SAMPLES + 1} with a label"


class _Row(NamedTuple):
    """One row of a text file, as text."""

    line: int
    fields: list[str]
    label_column: int | None


class _Table(NamedTuple):
    """Values of shape (n, 140), and one label per row where the file has them."""

    values: NDArray[np.float32]
    labels: list[str] | None


class _Format(NamedTuple):
    read: Callable[[Path], _Table]
    layout: BeatLayout


@checked
def read_beats(path: str | Path, *, labels: Literal["auto", "ignore"] = "auto") -> Beats:
    """Read a file of heartbeats.

    Missing values (an empty cell, ``?``, ``NA``, ``nan``) become NaN and infinite ones stay as
    they are: a detector calls such a beat unreadable.

    Parameters
    ----------
    path : str or Path
        The suffix says the format: see the module.
    labels : {"auto", "ignore"}
        ``"auto"`` reads the labels where the file has them; ``"ignore"`` passes over them,
        whatever they are.

    Returns
    -------
    Beats
        Shape (n, 140). The layout is ECG5000's for the formats of the UCR archive (``.txt``,
        ``.tsv``, ``.ts``, ``.arff``) and undeclared for the others.

    Raises
    ------
    DataError
        If the file is missing, too large, of an unknown format, not readable, without rows, or
        holds rows of another length, text where numbers belong, or unknown labels.
    SettingError
        If `labels` is neither of the two.
    MissingExtraError
        If a ``.parquet`` file is to be read and the extra ``formats`` is not installed.
    """
    if labels not in ("auto", "ignore"):
        raise SettingError(f"labels must be 'auto' or 'ignore', not {labels!r}.")
    path = Path(path)
    file_format = _format_of(path)
    try:
        table = file_format.read(path)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file in UTF-8, as {path.suffix} files are: save it as such.") from error
    except csv.Error as error:
        raise DataError(f"{path} is not a readable .csv file: {error}.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not len(table.values):
        raise DataError(f"{path} holds no rows of beats; expected {_EXPECTED_COLUMNS}.")
    codes = None
    if labels == "auto" and table.labels is not None:
        codes = _label_codes(path, table.labels)
    return Beats(table.values, file_format.layout, codes, str(path))


def _format_of(path: Path) -> _Format:
    """The format of a file that can be read at all."""
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a file of beats ({known_suffixes()}).")
    if not path.exists():
        raise DataError(f"{path} does not exist; name a file of beats ({known_suffixes()}).")
    if path.suffix.lower() not in _FORMATS:
        raise DataError(f"{path} is of an unknown format; known are {known_suffixes()}.")
    if not path.is_file():
        raise DataError(f"{path} is not a regular file; name a file of beats.")
    size = path.stat().st_size
    if size == 0:
        raise DataError(f"{path} is empty; expected {_EXPECTED_COLUMNS}.")
    if size > MAX_FILE_BYTES:
        raise DataError(
            f"{path} has {size / 2**30:.1f} GiB, and a file of beats may have "
            f"{MAX_FILE_BYTES / 2**30:.0f} GiB: split it."
        )
    return _FORMATS[path.suffix.lower()]


def known_suffixes() -> str:
    """Suffixes of the files that `read_beats` reads, for people."""
    *most, last = _FORMATS
    return f"{', '.join(most)} or {last}"


# Text files: a stream of rows, then one loop that checks and converts them.


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        while line := file.readline(MAX_LINE_CHARACTERS):
            if len(line) == MAX_LINE_CHARACTERS:
                raise DataError(
                    f"{path} has a line of more than {MAX_LINE_CHARACTERS:,} characters; "
                    f"expected one beat of {BEAT_SAMPLES} values per line."
                )
            yield line


def _txt_rows(path: Path) -> Iterator[_Row]:
    for number, line in enumerate(_lines(path), start=1):
        if fields := line.split():
            yield _Row(number, fields, 0)


def _tsv_rows(path: Path) -> Iterator[_Row]:
    for number, line in enumerate(_lines(path), start=1):
        if line.strip():
            yield _Row(number, line.rstrip("\r\n").split("\t"), 0)


def _ts_rows(path: Path) -> Iterator[_Row]:
    for number, line in _lines_of_data(path):
        values, colon, label = line.rpartition(":")
        fields = [*values.split(","), label] if colon else line.split(",")
        yield _Row(number, fields, len(fields) - 1 if colon else None)


def _arff_rows(path: Path) -> Iterator[_Row]:
    for number, line in _lines_of_data(path):
        fields = line.split(",")
        yield _Row(number, fields, len(fields) - 1)


def _lines_of_data(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines after ``@data``, without blank lines and comments."""
    numbered = ((number, line.strip()) for number, line in enumerate(_lines(path), start=1))
    for _, line in numbered:
        if line.lower() == "@data":
            break
    return ((number, line) for number, line in numbered if line and line[0] not in "#%")


def _csv_rows(path: Path) -> Iterator[_Row]:
    reader = csv.reader(_lines(path))
    rows: Iterator[tuple[int, list[str]]] = (
        (reader.line_num, fields) for fields in reader if len(fields) > 1 or "".join(fields).strip()
    )
    first = next(rows, None)
    if first is None:
        return
    if _is_header(first[1]):
        label_column = _label_column(path, first[1])
    else:
        label_column = BEAT_SAMPLES if len(first[1]) == BEAT_SAMPLES + 1 else None
        rows = chain([first], rows)
    for line, fields in rows:
        yield _Row(line, fields, label_column)


def _is_header(cells: Sequence[str]) -> bool:
    names = [cell.strip().lower() for cell in cells]
    if any(name in _LABEL_NAMES for name in names):
        return True
    # pandas writes 0, 1, 2, ... over columns that were never named.
    if [name for name in names if name.isdecimal()] == [str(i) for i in range(BEAT_SAMPLES)]:
        return True
    # The first beat may be missing, with nothing but a label that is text.
    words = [name for name in names if name not in _MISSING_VALUES]
    return len(words) > len(names) / 2 and not any(_is_number(word) for word in words)


def _label_column(path: Path, names: Sequence[str]) -> int | None:
    columns = [i for i, name in enumerate(names) if name.strip().lower() in _LABEL_NAMES]
    if len(columns) > 1:
        label_names = " and ".join(names[column] for column in columns)
        raise DataError(f"{path} has {len(columns)} columns of labels ({label_names}); expected one.")
    return columns[0] if columns else None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text_reader(rows: Callable[[Path], Iterator[_Row]]) -> Callable[[Path], _Table]:
    return lambda path: _collect(path, rows(path))


def _collect(path: Path, rows: Iterable[_Row]) -> _Table:
    values: list[NDArray[np.float32]] = []
    labels: list[str] = []
    shape: tuple[int, int | None] | None = None
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite
        for line, fields, label_column in rows:
            place = f"{path}, row {len(values) + 1} (line {line})"
            if shape is None:
                _check_columns(path, len(fields), label_column)
                shape = (len(fields), label_column)
            if (len(fields), label_column) != shape:
                raise DataError(
                    f"{place} has {len(fields)} columns, and the rows before it have {shape[0]}; "
                    f"expected as many in every row."
                )
            _check_count(path, len(values) + 1)
            if label_column is not None:
                labels.append(fields.pop(label_column))
            values.append(_numbers(fields, label_column, place).astype(np.float32))
    table = np.stack(values) if values else np.empty((0, BEAT_SAMPLES), np.float32)
    return _Table(table, labels or None)


def _check_columns(path: Path, columns: int, label_column: int | None) -> None:
    values = columns - (label_column is not None)
    if values == BEAT_SAMPLES:
        return
    labelled = "one of them the label"
    if label_column is None:
        labelled = f"none of them a label (called {' or '.join(_LABEL_NAMES)})"
    raise DataError(f"{path} has {columns} columns, {labelled}; expected {_EXPECTED_COLUMNS}.")


def _check_count(path: Path, beats: int) -> None:
    if beats > MAX_BEATS:
        raise DataError(f"{path} holds more than {MAX_BEATS:,} beats: split it.")


def _numbers(fields: list[str], label_column: int | None, place: str) -> NDArray[np.float64]:
    try:
        return np.array(fields, dtype=np.float64)
    except ValueError:
        return np.array(
            [
                _number(field, f"{place}, column {_file_column(index, label_column)}")
                for index, field in enumerate(fields)
            ]
        )


def _file_column(value_index: int, label_column: int | None) -> int:
    """Column of a value in the file, counted from 1."""
    label_before = label_column is not None and label_column <= value_index
    return value_index + 1 + label_before


def _number(field: str, place: str) -> float:
    text = field.strip()
    if text.lower() in _MISSING_VALUES:
        return np.nan
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{place}: {text[:30]!r} is text where a number belongs.") from None


# Binary files


def _read_npy(path: Path) -> _Table:
    try:
        # A memory map checks the size that the header claims against the file before anything
        # is allocated, and never unpickles.
        array = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # a damaged header gives errors of Python's own parser, too
        raise DataError(
            f"{path} is not a whole .npy file of numbers; save the beats with numpy.save as an "
            f"array of shape (n, {BEAT_SAMPLES}) and a numeric type."
        ) from error
    if array.dtype.kind not in "fiu":
        raise DataError(f"{path} holds an array of type {array.dtype}; expected real numbers.")
    if array.ndim != 2:
        raise DataError(
            f"{path} holds an array of shape {array.shape}; expected (n, {BEAT_SAMPLES}), or "
            f"(n, {BEAT_SAMPLES + 1}) with a label last."
        )
    beats, columns = array.shape
    label_column = BEAT_SAMPLES if columns == BEAT_SAMPLES + 1 else None
    _check_columns(path, columns, label_column)
    _check_count(path, beats)
    labels = None if label_column is None else [str(x) for x in array[:, label_column].tolist()]
    with np.errstate(over="ignore"):
        return _Table(np.array(array[:, :BEAT_SAMPLES], dtype=np.float32), labels)


def _read_parquet(path: Path) -> _Table:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError.of("formats", "reading .parquet files") from error
    with path.open("rb") as stream:
        try:
            return _parquet_table(path, parquet.ParquetFile(stream))
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{path} is not a whole .parquet file; write it again.") from error


def _parquet_table(path: Path, file: Any) -> _Table:
    # A small file can claim any number of rows and columns, so they are checked before they are
    # read.
    names = file.schema_arrow.names
    label_column = _label_column(path, names)
    _check_columns(path, len(names), label_column)
    _check_count(path, file.metadata.num_rows)
    value_columns = [column for column in range(len(names)) if column != label_column]
    for column in value_columns:
        _check_numeric(path, column, file.schema_arrow.field(column))
    if len(file.schema) != len(names):
        raise DataError(f"{path} has columns that hold more than one value; expected {_EXPECTED_COLUMNS}.")
    if len(set(names)) < len(names):
        raise DataError(f"{path} has two columns of one name; expected {_EXPECTED_COLUMNS}.")
    labels = None if label_column is None else _parquet_labels(path, file, label_column)
    table = file.read(columns=[names[column] for column in value_columns])
    values = np.empty((table.num_rows, BEAT_SAMPLES), np.float32)
    with np.errstate(over="ignore"):
        for sample in range(BEAT_SAMPLES):
            values[:, sample] = table.column(sample).to_numpy()
    return _Table(values, labels)


def _parquet_labels(path: Path, file: Any, column: int) -> list[str]:
    """Labels, of which each is held once: a small file can repeat a long text for every beat."""
    from pyarrow import parquet, types

    groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
    if sum(group.column(column).total_uncompressed_size for group in groups) > _MAX_LABEL_BYTES:
        raise DataError(
            f"{path} has labels of more than {_MAX_LABEL_BYTES >> 20} MiB; expected 1, normal, or the like."
        )
    name = file.schema_arrow.names[column]
    with path.open("rb") as stream:
        chunks = parquet.ParquetFile(stream, read_dictionary=[name]).read(columns=[name]).column(0).chunks
    labels: list[str] = []
    for chunk in chunks:
        if types.is_dictionary(chunk.type):
            texts = [str(label)[:_LABEL_CHARACTERS] for label in chunk.dictionary.to_pylist()]
            labels += [str(None) if row is None else texts[row] for row in chunk.indices.to_pylist()]
        else:
            labels += [str(label) for label in chunk.to_pylist()]
    return labels


def _check_numeric(path: Path, column: int, field: Any) -> None:
    from pyarrow import types

    if not (types.is_floating(field.type) or types.is_integer(field.type)):
        raise DataError(
            f"{path}, column {column + 1} ({field.name}) holds values of type {field.type}; expected numbers."
        )


# Labels


def _label_codes(path: Path, labels: Sequence[str]) -> NDArray[np.int_]:
    codes = {text: _label_code(text) for text in set(labels)}
    for row, text in enumerate(labels, start=1):
        if codes[text] is None:
            raise DataError(
                f"{path}, row {row}: {text.strip()[:30]!r} is not a known label; expected 1, normal "
                f"or N for a normal beat, and 0, abnormal or a class from 2 to {_LARGEST_CLASS} "
                f"for an abnormal one."
            )
    return np.array([codes[text] for text in labels], dtype=np.int_)


def _label_code(text: str) -> int | None:
    text = text.strip().strip("'\"")
    if text == "N":  # in PhysioNet's code, n is an abnormal beat
        return NORMAL_LABEL
    if text.lower() in _NAMED_LABELS:
        return _NAMED_LABELS[text.lower()]
    if _is_number(text) and float(text) in range(_LARGEST_CLASS + 1):
        return int(float(text))
    return None


_UNDECLARED = BeatLayout.undeclared(BEAT_SAMPLES)
_FORMATS = {
    ".txt": _Format(_text_reader(_txt_rows), ECG5000_LAYOUT),
    ".tsv": _Format(_text_reader(_tsv_rows), ECG5000_LAYOUT),
    ".ts": _Format(_text_reader(_ts_rows), ECG5000_LAYOUT),
    ".arff": _Format(_text_reader(_arff_rows), ECG5000_LAYOUT),
    ".csv": _Format(_text_reader(_csv_rows), _UNDECLARED),
    ".npy": _Format(_read_npy, _UNDECLARED),
    ".parquet": _Format(_read_parquet, _UNDECLARED),
}
