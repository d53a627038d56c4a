from __future__ import annotations

import contextlib
import csv
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from ectopy.beats import BEAT_SAMPLES, BeatLayout, Beats
from ectopy.datasets import beat_files, load, read_beats
from ectopy.errors import DataError, MissingExtraError, SettingError
from support import refusals
from support.examples import examples
from support.parquet_files import write_parquet
from support.waiting import PATIENCE_S

Samples = NDArray[np.float32]
Labels = Sequence[object]
Writer = Callable[[Path, Samples, Labels], None]

SUFFIXES = (".txt", ".tsv", ".ts", ".arff", ".csv", ".npy", ".parquet")
UCR = (".txt", ".tsv", ".ts", ".arff")
TEXT = (*UCR, ".csv")


def beats(count: int = 6) -> Samples:
    return np.random.default_rng(5).normal(size=(count, BEAT_SAMPLES)).astype(np.float32)


def as_text(row: Samples) -> list[str]:
    return [repr(value) for value in row.astype(float).tolist()]


def write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def text_writer(line: Callable[[list[str], object], str], *header: str) -> Writer:
    """Writes a line for each beat, made of its values and its label."""

    def write(path: Path, samples: Samples, labels: Labels) -> None:
        rows = zip(samples, labels, strict=True)
        write_lines(path, [*header, *(line(as_text(row), label) for row, label in rows)])

    return write


write_csv = text_writer(lambda values, label: ",".join([*values, str(label)]))


def write_npy(path: Path, samples: Samples, labels: Labels) -> None:
    np.save(path, np.column_stack([samples, np.array(labels, dtype=np.float32)]))


def write_parquet_beats(path: Path, samples: Samples, labels: Labels) -> None:
    write_parquet(path, {f"s{i}": samples[:, i] for i in range(BEAT_SAMPLES)} | {"label": labels})


WRITERS: dict[str, Writer] = {
    ".txt": text_writer(lambda values, label: f"   {label}   " + "   ".join(values)),
    ".tsv": text_writer(lambda values, label: "\t".join([str(label), *values])),
    ".ts": text_writer(
        lambda values, label: ",".join(values) + f":{label}",
        *("# a comment", "@problemName beats", "@classLabel true 1 2 3 4 5", "@data"),
    ),
    ".arff": text_writer(
        lambda values, label: ",".join([*values, str(label)]),
        *("% a comment", "@relation beats", *(f"@attribute att{i} numeric" for i in range(BEAT_SAMPLES))),
        *("@attribute target {1,2,3,4,5}", "", "@DATA", "% another"),
    ),
    ".csv": write_csv,
    ".npy": write_npy,
    ".parquet": write_parquet_beats,
}


refusal = partial(refusals.refusal, read=read_beats)


# What is read


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_beats(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"beats{suffix}"
    samples, labels = beats(), [1, 0, 2, 3, 4, 5]
    WRITERS[suffix](path, samples, labels)
    read = read_beats(path)
    np.testing.assert_array_equal(read.samples, samples)
    assert read.samples.dtype == np.float32
    assert read.labels.tolist() == labels
    assert read.source == str(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_only_formats_of_the_ucr_archive_have_the_layout_of_ecg5000(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"beats{suffix}"
    WRITERS[suffix](path, beats(1), [1])
    expected = beat_files.ECG5000_LAYOUT if suffix in UCR else BeatLayout.undeclared(BEAT_SAMPLES)
    assert read_beats(path).layout == expected


def test_official_formats_of_the_same_part_agree(ecg5000_folder: Path) -> None:
    stem = ecg5000_folder / "ECG5000_TRAIN"
    files = [stem.with_suffix(suffix) for suffix in UCR if stem.with_suffix(suffix).exists()]
    if len(files) < 2:
        pytest.skip("this copy of ECG5000 has its training part in one format only")
    first, *later = map(read_beats, files)
    for other in later:
        np.testing.assert_array_equal(first.samples, other.samples)
        np.testing.assert_array_equal(first.labels, other.labels)


finite_or_not = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.just(BEAT_SAMPLES)),
    elements=st.floats(width=32),
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=examples(25))
@given(samples=finite_or_not, data=st.data())
def test_what_is_written_is_read(
    suffix: str, samples: Samples, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("round_trip") / f"beats{suffix}"
    count = len(samples)
    labels = data.draw(st.lists(st.integers(0, 5), min_size=count, max_size=count))
    WRITERS[suffix](path, samples, labels)
    read = read_beats(path)
    np.testing.assert_array_equal(read.samples, samples)
    assert read.labels.tolist() == labels


@given(st.lists(st.floats(allow_nan=False).map(repr), min_size=BEAT_SAMPLES, max_size=BEAT_SAMPLES))
@settings(max_examples=examples(25))
def test_text_is_parsed_as_float64_then_rounded(tmp_path_factory: pytest.TempPathFactory, values: list[str]) -> None:
    path = tmp_path_factory.mktemp("rounding") / "beats.csv"
    write_lines(path, [",".join(values)])
    with np.errstate(over="ignore"):
        expected = np.array([float(value) for value in values]).astype(np.float32)
    np.testing.assert_array_equal(read_beats(path).samples[0], expected)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_labels_can_be_ignored(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"beats{suffix}"
    WRITERS[suffix](path, beats(2), [1, 77])
    read = read_beats(path, labels="ignore")
    assert read.labels is None
    np.testing.assert_array_equal(read.samples, beats(2))


def test_labels_are_read_or_ignored_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="'auto' or 'ignore', not 'none'"):
        read_beats(tmp_path / "beats.csv", labels="none")  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".csv", ".ts", ".npy", ".parquet"])
def test_beats_may_have_no_labels(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"beats{suffix}"
    samples = beats(3)
    lines = [",".join(as_text(row)) for row in samples]
    if suffix == ".csv":
        write_lines(path, lines)
    elif suffix == ".ts":
        write_lines(path, ["@classLabel false", "@data", *lines])
    elif suffix == ".npy":
        np.save(path, samples)
    else:
        write_parquet(path, {f"s{i}": samples[:, i] for i in range(BEAT_SAMPLES)})
    read = read_beats(path)
    assert read.labels is None
    np.testing.assert_array_equal(read.samples, samples)


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("1", 1), ("1.0", 1), ("1.0000000e+00", 1), ("normal", 1), ("Normal", 1), ("N", 1),
        ("0", 0), ("abnormal", 0), ("ABNORMAL", 0), ("2", 2), ("5.0", 5), (" 4 ", 4),
        ('"normal"', 1),
    ],
)  # fmt: skip
def test_meaning_of_a_label(written: str, meaning: int, tmp_path: Path) -> None:
    path = tmp_path / "beats.csv"
    write_lines(path, [",".join([*as_text(beats(1)[0]), written])])
    labels = read_beats(path).labels
    assert labels.tolist() == [meaning]


@pytest.mark.parametrize("suffix", [*TEXT, ".parquet"])
@pytest.mark.parametrize("label", ["V", "n", "6", "-1", "1.5", "nan", "1e400"])
def test_unknown_label(suffix: str, label: str, tmp_path: Path) -> None:
    path = tmp_path / f"beats{suffix}"
    WRITERS[suffix](path, beats(2), ["1", label])
    message = refusal(path)
    assert repr(label) in message
    assert "row 2" in message
    assert "normal" in message
    assert "2 to 5" in message


@pytest.mark.parametrize("label", [6.0, -1.0, 1.5, np.nan, np.inf, np.float32(1) + 2**-23])
def test_unknown_label_in_an_array(label: float, tmp_path: Path) -> None:
    path = tmp_path / "beats.npy"
    write_npy(path, beats(2), [1, label])
    assert "row 2" in refusal(path)


def test_missing_label(tmp_path: Path) -> None:
    write_csv(tmp_path / "beats.csv", beats(2), ["1", ""])
    write_parquet_beats(tmp_path / "beats.parquet", beats(2), [1, None])
    assert "row 2: ''" in refusal(tmp_path / "beats.csv")
    assert "row 2: 'None'" in refusal(tmp_path / "beats.parquet")


@pytest.mark.parametrize("column", [0, 70, BEAT_SAMPLES])
@pytest.mark.parametrize("name", ["label", "class", " Class "])
def test_label_column_of_a_csv_is_found_by_its_name(column: int, name: str, tmp_path: Path) -> None:
    path = tmp_path / "beats.csv"
    names = [f"s{i}" for i in range(BEAT_SAMPLES)]
    names.insert(column, name)
    samples = beats(2)
    rows = [as_text(row) for row in samples]
    for row, label in zip(rows, ["normal", "3"], strict=True):
        row.insert(column, label)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    read = read_beats(path)
    np.testing.assert_array_equal(read.samples, samples)
    assert read.labels.tolist() == [1, 3]


def test_label_column_of_a_parquet_file_is_found_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "beats.parquet"
    samples = beats(2)
    values = {f"s{i}": samples[:, i] for i in range(BEAT_SAMPLES)}
    write_parquet(path, {"Class": ["N", "abnormal"]} | values)
    read = read_beats(path)
    np.testing.assert_array_equal(read.samples, samples)
    assert read.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    "header",
    [
        [f"s{i}" for i in range(BEAT_SAMPLES)],
        [f'"t = {i} ms"' for i in range(BEAT_SAMPLES)],
        [str(i) for i in range(BEAT_SAMPLES)],
        [*(str(i) for i in range(BEAT_SAMPLES)), "label"],
    ],
    ids=["names", "quoted names", "pandas' numbers", "pandas' numbers and a label"],
)
def test_header_is_no_beat(header: list[str], tmp_path: Path) -> None:
    path = tmp_path / "beats.csv"
    row = [*as_text(beats(1)[0]), "1"][: len(header)]
    write_lines(path, [",".join(header), ",".join(row)])
    np.testing.assert_array_equal(read_beats(path).samples, beats(1))


@pytest.mark.parametrize("cell", ["", "?", "nan"])
@pytest.mark.parametrize("label", [[], ["1"], ["normal"]])
def test_a_missing_first_beat_is_no_header(cell: str, label: list[str], tmp_path: Path) -> None:
    path = tmp_path / "beats.csv"
    rows = [[cell] * BEAT_SAMPLES + label, as_text(beats(1)[0]) + label]
    write_lines(path, [",".join(row) for row in rows])
    read = read_beats(path)
    assert np.all(np.isnan(read.samples[0]))
    np.testing.assert_array_equal(read.samples[1:], beats(1))


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("suffix", TEXT)
def test_line_ends_byte_order_mark_and_blank_lines_do_not_matter(suffix: str, newline: str, tmp_path: Path) -> None:
    path = tmp_path / f"beats{suffix}"
    WRITERS[suffix](path, beats(2), [1, 2])
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_bytes((newline.join(["", *lines[:-1], "", lines[-1], "", ""])).encode("utf-8-sig"))
    read = read_beats(path)
    np.testing.assert_array_equal(read.samples, beats(2))
    assert read.labels.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("", np.nan), ("?", np.nan), ("NA", np.nan), ("nan", np.nan), (" NaN ", np.nan),
     ("inf", np.inf), ("-Infinity", -np.inf), ("1e300", np.inf)],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".tsv", ".ts", ".arff", ".csv"])
def test_what_is_no_finite_number_is_kept(suffix: str, cell: str, value: float, tmp_path: Path) -> None:
    path = tmp_path / f"beats{suffix}"
    samples = beats(2)
    samples[1, 70] = 777
    WRITERS[suffix](path, samples, [1, 0])
    path.write_text(path.read_text(encoding="utf-8").replace("777.0", cell), encoding="utf-8")
    samples[1, 70] = value
    np.testing.assert_array_equal(read_beats(path).samples, samples)


def test_nulls_of_a_parquet_file_become_nan(tmp_path: Path) -> None:
    path = tmp_path / "beats.parquet"
    write_parquet(path, {f"s{i}": [1, None] for i in range(BEAT_SAMPLES)})
    read = read_beats(path)
    assert np.all(read.samples[0] == 1)
    assert np.all(np.isnan(read.samples[1]))


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int8, np.uint16, ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_real_type(dtype: str, order: str, tmp_path: Path) -> None:
    path = tmp_path / "beats.npy"
    samples = np.arange(2 * BEAT_SAMPLES).reshape(2, BEAT_SAMPLES) % 100
    np.save(path, np.asarray(samples, dtype=dtype, order=order))
    np.testing.assert_array_equal(read_beats(path).samples, samples)


# What is refused


@pytest.mark.parametrize("suffix", TEXT)
@pytest.mark.parametrize("change", [-1, 1, 5])
def test_wrong_number_of_columns(suffix: str, change: int, tmp_path: Path) -> None:
    path = tmp_path / f"beats{suffix}"
    samples = np.ones((2, BEAT_SAMPLES + change), np.float32)
    if suffix == ".csv" and change == -1:  # 139 values and a label look like 140 values
        samples = samples[:, :-1]
    WRITERS[suffix](path, samples, [1, 1])
    message = refusal(path)
    assert f"{samples.shape[1] + 1} columns" in message
    assert "140 columns of numbers, or 141 with a label" in message


@pytest.mark.parametrize("columns", [0, 139, 142])
def test_wrong_number_of_columns_in_binary_files(columns: int, tmp_path: Path) -> None:
    np.save(tmp_path / "beats.npy", np.ones((2, columns)))
    write_parquet(tmp_path / "beats.parquet", {f"s{i}": [1.0] for i in range(columns)})
    for name in ("beats.npy", "beats.parquet"):
        message = refusal(tmp_path / name)
        assert f"{columns} columns" in message
        assert "140 columns of numbers, or 141 with a label" in message


def test_141_named_columns_without_a_label(tmp_path: Path) -> None:
    names = [f"s{i}" for i in range(BEAT_SAMPLES + 1)]
    write_lines(tmp_path / "beats.csv", [",".join(names), ",".join(["1"] * len(names))])
    write_parquet(tmp_path / "beats.parquet", {name: [1.0] for name in names})
    for name in ("beats.csv", "beats.parquet"):
        assert "none of them a label (called label or class)" in refusal(tmp_path / name)


def test_two_label_columns(tmp_path: Path) -> None:
    path = tmp_path / "beats.csv"
    names = [*(f"s{i}" for i in range(BEAT_SAMPLES)), "label", "class"]
    write_lines(path, [",".join(names), ",".join(["1"] * len(names))])
    assert "2 columns of labels (label and class)" in refusal(path)


@pytest.mark.parametrize("suffix", TEXT)
def test_ragged_rows(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"beats{suffix}"
    WRITERS[suffix](path, np.ones((3, BEAT_SAMPLES), np.float32), [1, 1, 1])
    head, _, last = path.read_text(encoding="utf-8").rstrip("\n").rpartition("1.0")
    path.write_text(head.rstrip(" \t,") + last + "\n", encoding="utf-8")
    message = refusal(path)
    assert "row 3 (line" in message
    assert "has 140 columns" in message
    assert "141" in message


def test_rows_with_and_without_a_label(tmp_path: Path) -> None:
    path = tmp_path / "beats.ts"
    row = ",".join(["1"] * BEAT_SAMPLES)
    write_lines(path, ["@data", f"{row}:1", row])
    assert "row 2 (line 3)" in refusal(path)


@pytest.mark.parametrize("suffix", TEXT)
def test_text_where_a_number_belongs(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"beats{suffix}"
    samples = beats(3)
    samples[1, 70] = 777
    WRITERS[suffix](path, samples, [1, 1, 1])
    text = path.read_text(encoding="utf-8")
    line = text[: text.index("777.0")].count("\n") + 1
    path.write_text(text.replace("777.0", "high"), encoding="utf-8")
    column = 72 if suffix in (".txt", ".tsv") else 71
    assert f"row 2 (line {line}), column {column}: 'high' is text" in refusal(path)


def test_text_where_a_number_belongs_in_a_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "beats.parquet"
    columns: dict[str, object] = {f"s{i}": [1.0] for i in range(BEAT_SAMPLES)}
    write_parquet(path, columns | {"s7": ["high"]})
    assert "column 8 (s7) holds values of type string" in refusal(path)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        pytest.param(np.array([["1"] * BEAT_SAMPLES]), "expected real numbers", id="text"),
        pytest.param(np.ones((1, BEAT_SAMPLES), complex), "expected real numbers", id="complex"),
        pytest.param(np.ones((1, BEAT_SAMPLES), bool), "expected real numbers", id="bool"),
        pytest.param(np.ones((1, BEAT_SAMPLES), [("a", float)]), "expected real numbers", id="structured"),
        pytest.param(np.array([[{}] * BEAT_SAMPLES]), "not a whole .npy file of numbers", id="pickled"),
        *(
            pytest.param(np.ones(shape), f"{shape}; expected (n, 140)", id=f"shape {shape}")
            for shape in ((), (BEAT_SAMPLES,), (2, BEAT_SAMPLES, 1))
        ),
    ],
)
def test_arrays_that_hold_no_beats(array: NDArray[np.generic], expected: str, tmp_path: Path) -> None:
    path = tmp_path / "beats.npy"
    np.save(path, array, allow_pickle=True)
    assert expected in refusal(path)


def test_missing_file_folder_and_empty_file(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "empty.csv").touch()
    assert "does not exist" in refusal(tmp_path / "missing.csv")
    assert "is a folder" in refusal(tmp_path / "folder.csv")
    assert "is empty" in refusal(tmp_path / "empty.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert "not a regular file" in refusal(tmp_path / "pipe.csv")


@pytest.mark.parametrize("name", ["beats.xlsx", "beats"])
def test_unknown_format_lists_the_known_ones(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    message = refusal(path)
    assert all(suffix in message for suffix in SUFFIXES)


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".txt", "\n \n"),
        (".csv", "\n\n"),
        (".csv", ",".join(f"s{i}" for i in range(BEAT_SAMPLES))),
        (".ts", "@problemName beats\n@data\n"),
        (".ts", "1,2,3:1\n"),
        (".arff", "@relation beats\n@data\n% nothing\n"),
    ],
)
def test_no_rows(suffix: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / f"beats{suffix}"
    path.write_text(text, encoding="utf-8")
    assert "no rows" in refusal(path)


def test_no_rows_in_binary_files(tmp_path: Path) -> None:
    np.save(tmp_path / "beats.npy", np.empty((0, BEAT_SAMPLES)))
    empty = np.empty(0)
    write_parquet(tmp_path / "beats.parquet", {f"s{i}": empty for i in range(BEAT_SAMPLES)})
    assert "no rows" in refusal(tmp_path / "beats.npy")
    assert "no rows" in refusal(tmp_path / "beats.parquet")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_binary_garbage(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"beats{suffix}"
    path.write_bytes(bytes(range(255, 0, -1)) * 20)
    message = refusal(path)
    assert re.search("not a text file in UTF-8|not a whole", message)


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_truncated_file(suffix: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / f"beats{suffix}"
    WRITERS[suffix](path, beats(), [1] * 6)
    os.truncate(path, int(path.stat().st_size * share))
    assert "not a whole" in refusal(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=examples(40))
@given(data=st.data())
def test_any_damage_is_read_or_refused(
    suffix: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damage") / f"beats{suffix}"
    WRITERS[suffix](path, beats(2), [1, 2])
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        assert isinstance(read_beats(path), Beats)


def test_unclosed_quote(tmp_path: Path) -> None:
    path = tmp_path / "beats.csv"
    path.write_text('"' + "1,1,1\n" * 50_000, encoding="utf-8")
    assert "not a readable .csv file" in refusal(path)


@pytest.mark.skipif(os.name != "posix", reason="needs sparse files and POSIX permissions")
def test_limits_on_size(tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    large.touch()
    os.truncate(large, beat_files.MAX_FILE_BYTES + 1)
    assert "4.0 GiB" in refusal(large)

    many = tmp_path / "many.npy"
    np.lib.format.open_memmap(many, "w+", np.float32, (beat_files.MAX_BEATS + 1, BEAT_SAMPLES))
    assert f"more than {beat_files.MAX_BEATS:,} beats" in refusal(many)

    long = tmp_path / "long.csv"
    long.write_bytes(b"1" * (beat_files.MAX_LINE_CHARACTERS + 1))
    assert "a line of more than" in refusal(long)


def test_small_parquet_file_that_claims_many_rows(tmp_path: Path) -> None:
    path = tmp_path / "beats.parquet"
    pyarrow = pytest.importorskip("pyarrow", reason="the extra 'formats' is not installed")
    nulls = pyarrow.nulls(beat_files.MAX_BEATS + 1)
    write_parquet(path, {f"s{i}": nulls for i in range(BEAT_SAMPLES)})
    assert f"more than {beat_files.MAX_BEATS:,} beats" in refusal(path)


def test_parquet_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "beats.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"ectopy\[formats\]"):
        read_beats(path)


# Names and paths


def test_a_named_data_set_is_loaded_whole_or_by_split() -> None:
    assert len(load("simulated")) == len(load("simulated", "train")) + len(load("simulated", "test"))


def test_a_path_is_read(tmp_path: Path) -> None:
    write_csv(tmp_path / "beats.csv", beats(2), [1, 0])
    np.testing.assert_array_equal(load(tmp_path / "beats.csv").samples, beats(2))
    np.testing.assert_array_equal(load(str(tmp_path / "beats.csv")).samples, beats(2))


def test_an_unknown_name_lists_names_and_formats() -> None:
    with pytest.raises(DataError) as caught:
        load("ecg50000")
    message = str(caught.value)
    assert all(word in message for word in ("ecg5000,", "simulated", *SUFFIXES))


def test_a_file_has_no_split(tmp_path: Path) -> None:
    write_csv(tmp_path / "beats.csv", beats(2), [1, 0])
    with pytest.raises(SettingError, match="has no split 'test'"):
        load(tmp_path / "beats.csv", "test")


def test_importing_the_room_brings_no_optional_or_slow_package() -> None:
    code = (
        "import sys, ectopy.datasets; "
        "print({'pooch', 'requests', 'rich', 'scipy', 'pyarrow', 'tensorflow'} & set(sys.modules))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert process.stdout.strip() == "set()"


_PEAK = """
import re, sys
from pathlib import Path
from ectopy.datasets import read_beats
from ectopy.errors import DataError
read_beats(sys.argv[1])
def peak_kb():
    # Unlike that of getrusage, not that of the process which started this one.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak_kb()
try:
    read_beats(sys.argv[2])
except DataError as error:
    print(error)
print(peak_kb() - before)
"""


@pytest.mark.parametrize("dictionary", [True, False])
def test_a_label_that_is_repeated_for_every_beat_takes_its_memory_once(tmp_path: Path, dictionary: bool):
    samples = np.zeros((600, BEAT_SAMPLES), np.float32)
    write_parquet_beats(tmp_path / "good.parquet", samples, ["1"] * len(samples))
    columns = {f"s{i}": samples[:, i] for i in range(BEAT_SAMPLES)} | {"label": ["N" * 2**19] * len(samples)}
    import pyarrow
    from pyarrow import parquet

    bomb = tmp_path / "bomb.parquet"
    parquet.write_table(pyarrow.table(columns), bomb, compression="zstd", use_dictionary=dictionary)
    assert bomb.stat().st_size < 2**20
    command = [sys.executable, "-c", _PEAK, str(tmp_path / "good.parquet"), str(bomb)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    message, peak = process.stdout.splitlines()
    assert "label" in message
    assert int(peak) < 200 * 2**10


def test_columns_of_lists_are_refused(tmp_path: Path):
    columns: dict[str, object] = {f"s{i}": np.zeros(2, np.float32) for i in range(BEAT_SAMPLES)}
    write_parquet(tmp_path / "lists.parquet", columns | {"label": [{"a": 1, "b": 2}] * 2})
    with pytest.raises(DataError, match="more than one value"):
        read_beats(tmp_path / "lists.parquet")
