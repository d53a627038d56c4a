"""EC57 comparison of annotation files: one record, or a folder of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ectopy.errors import DataError, SettingError
from ectopy.evaluation.ec57 import Comparison, average, compare, gross
from ectopy.formats.wfdb_annotations import annotation_timing, read_annotations
from ectopy.presentation import short_repr


@dataclass(frozen=True, slots=True)
class FilesComparison:
    """Comparisons by record name; records that only one side has are `left_out`."""

    __repr__ = short_repr

    records: dict[str, Comparison]
    label_map: str
    left_out: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Every figure, for JSON: per record, gross and average."""
        comparisons = list(self.records.values())
        return {
            "label_map": self.label_map,
            "records": {name: comparison.summary() for name, comparison in self.records.items()},
            "gross": gross(comparisons).summary(),
            "average": average(comparisons),
            "left_out": list(self.left_out),
        }


def compare_files(
    reference: Path, test: Path, reference_ext: str = "atr", test_ext: str | None = None, label_map: str = "aami"
) -> FilesComparison:
    """Compare every record that both sides have.

    Parameters
    ----------
    reference, test : Path
        An annotation file (``mitdb/100.atr``), a record (``mitdb/100``) or a folder of them.
    reference_ext, test_ext : str
        Annotator names, which are the endings of the files in a folder; an annotation file has its own.
    label_map : str
        A name in `LABEL_MAPS` of `ectopy.formats.annotation_codes`.

    Raises
    ------
    DataError
        If a file is missing or cannot be used, if no record is on both sides, or if sampling rates differ.
    SettingError
        If the ending of the test files is not known, or there is no such label map.
    """
    ours, theirs = _files(reference, reference_ext, "reference"), _files(test, test_ext, "test")
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        raise DataError(
            f"no record is in both: {reference} has {_abbreviated(ours)}, and {test} has {_abbreviated(theirs)}; "
            "give annotations of the same records."
        )
    records = {name: _compare(ours[name], theirs[name], label_map) for name in common}
    return FilesComparison(records, label_map, tuple(sorted(ours.keys() ^ theirs.keys())))


def _files(path: Path, extension: str | None, side: str) -> dict[str, Path]:
    if path.is_file():
        return {path.stem: path}
    if extension is None:
        raise SettingError(f"{path} is not an annotation file; say with --{side}-ext which annotations of it to take.")
    ending = f".{extension.removeprefix('.')}"
    if path.is_dir():
        files = {file.stem: file for file in path.iterdir() if file.suffix == ending and file.is_file()}
        if not files:
            raise DataError(f"the folder {path} has no annotation file *{ending}; name another folder or ending.")
        return files
    file = Path(f"{path}{ending}")
    if not file.is_file():
        raise DataError(f"there is neither {path} nor {file}; name an annotation file, a record or a folder.")
    return {path.name: file}


def _compare(reference: Path, test: Path, label_map: str) -> Comparison:
    ours, theirs = annotation_timing(reference), annotation_timing(test)
    rate = ours.sampling_rate_hz or theirs.sampling_rate_hz
    if rate is None:
        raise DataError(f"the sampling rate of {reference} is not known; put its header (.hea) beside it.")
    if theirs.sampling_rate_hz not in (None, rate):
        raise DataError(
            f"{test} is at {theirs.sampling_rate_hz:g} Hz and {reference} at {rate:g} Hz; "
            "give annotations at one sampling rate."
        )
    samples = ours.samples if ours.samples is not None else theirs.samples
    try:
        marks = read_annotations(reference), read_annotations(test)
        return compare(*marks, sampling_rate_hz=rate, samples=samples, label_map=label_map)
    except DataError as error:
        raise DataError(f"record {reference.stem}: {error}") from error


def _abbreviated(names: dict[str, Path]) -> str:
    first = ", ".join(sorted(names)[:5])
    return f"{first} and {len(names) - 5} more" if len(names) > 5 else first
