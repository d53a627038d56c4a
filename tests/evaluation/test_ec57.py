from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.errors import DataError, SettingError
from ectopy.evaluation.ec57 import CLASSES, RATES, Comparison, average, compare, gross
from ectopy.evaluation.ec57_files import FilesComparison, compare_files
from ectopy.evaluation.metrics import ratio
from ectopy.recording import Annotations
from support.command_line import assert_refused, assert_success
from support.data_sets import folder_of

HZ = 100
START = 30_000
LENGTH = 60_000
NOISY, UNREADABLE, CLEAN = 0x03, 0x30, 0

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "ec57"
ANNOTATORS = ("det", "tst")


def marks(*beats: tuple[int, str] | tuple[int, str, int]) -> Annotations:
    positions, symbols, subtypes = zip(*((*beat, 0)[:3] for beat in beats), strict=True) if beats else ((), (), ())
    return Annotations(
        np.array(positions, dtype=np.int64), np.array(symbols, dtype=np.str_), np.array(subtypes, dtype=np.int8)
    )


def scored(*beats: tuple[int, str] | tuple[int, str, int]) -> Annotations:
    """Marks counted from where scoring starts."""
    return marks(*((START + beat[0], *beat[1:]) for beat in beats))


def judged(reference: Annotations, test: Annotations, **settings: object) -> Comparison:
    return compare(reference, test, sampling_rate_hz=HZ, **{"samples": LENGTH, **settings})


def pairs(comparison: Comparison) -> dict[str, int]:
    """Counts that are not zero, named as in the standard: Nv is a normal beat called V."""
    rows, columns = np.nonzero(comparison.counts)
    return {
        CLASSES[row] + CLASSES[column].lower(): int(comparison.counts[row, column])
        for row, column in zip(rows, columns, strict=True)
    }


# Matching, and what is scored


CASES = {
    "a beat 150 ms late is matched": (scored((500, "N")), scored((515, "N")), {"Nn": 1}),
    "a beat 150 ms early is matched": (scored((500, "N")), scored((485, "N")), {"Nn": 1}),
    "a sample later is too late": (scored((500, "N")), scored((516, "N")), {"No": 1, "On": 1}),
    "a sample earlier is too early": (scored((500, "N")), scored((484, "N")), {"No": 1, "On": 1}),
    "the nearest wins, if later": (scored((500, "N")), scored((490, "V"), (505, "N")), {"Nn": 1, "Ov": 1}),
    "the nearest wins, if earlier": (scored((500, "N")), scored((497, "V"), (510, "N")), {"Nv": 1, "On": 1}),
    "the nearest of the reference wins": (scored((490, "N"), (505, "V")), scored((500, "N")), {"No": 1, "Vn": 1}),
    "of two equally near the later wins": (scored((500, "N")), scored((490, "V"), (510, "N")), {"Nn": 1, "Ov": 1}),
    "a beat is matched only once": (scored((500, "N")), scored((499, "N"), (503, "N"), (506, "N")), {"Nn": 1, "On": 2}),
    "the first five minutes are not scored": (
        scored((-5000, "N"), (-100, "N"), (100, "N")), scored((-4000, "V"), (100, "N")), {"Nn": 1}
    ),
    "the first beat may be detected before scoring starts": (scored((5, "N")), scored((-5, "V")), {"Nv": 1}),
    "a late detection of the last unscored beat is not extra": (
        scored((-2, "N"), (80, "N")), scored((5, "N"), (80, "N")), {"Nn": 1}
    ),
    "scoring ends with the recording": (
        marks((LENGTH - 50, "N"), (LENGTH + 5, "N")), marks((LENGTH - 50, "N"), (LENGTH + 90, "N")), {"Nn": 1}
    ),
    "with a length beats after the last of the reference are extra": (
        scored((500, "N")), scored((300, "N"), (500, "N"), (900, "N")), {"Nn": 1, "On": 2}
    ),
    "ventricular fibrillation is not scored": (
        scored((100, "N"), (200, "["), (300, "!"), (350, "V"), (800, "]"), (1000, "N")),
        scored((100, "N"), (300, "V"), (350, "V"), (600, "N"), (1000, "N")),
        {"Nn": 2},
    ),
    "fibrillation without an end lasts to the end of the recording": (
        scored((100, "N"), (200, "["), (210, "]"), (300, "N"), (400, "["), (500, "V")),
        scored((100, "N"), (300, "N"), (450, "V"), (20_000, "V")),
        {"Nn": 2},
    ),
    "test beats in fibrillation that the test marks are missed": (
        scored((100, "N"), (500, "V"), (900, "N")),
        scored((100, "N"), (400, "["), (500, "V"), (600, "]"), (900, "N")),
        {"Nn": 2, "Vo": 1},
    ),
    "a test beat on a flutter wave outside fibrillation is extra": (
        scored((100, "!"), (500, "!")), scored((100, "V")), {"Ov": 1}
    ),
    "marks that are not beats are passed over": (
        scored((100, "N"), (150, "+"), (180, '"'), (200, "x"), (250, "|"), (300, "~", NOISY), (400, "N")),
        scored((100, "N"), (200, "~"), (400, "N")),
        {"Nn": 2},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_beats_are_paired_as_by_bxb(case: str):
    reference, test, expected = CASES[case]
    assert pairs(judged(reference, test)) == expected


@pytest.mark.parametrize(("rate", "window"), [(360, 54), (250, 38), (128, 19), (1000, 150)])
def test_the_window_is_rounded_to_the_nearest_sample_at_every_rate(rate: int, window: int):
    beat = 400 * rate
    near, far = (
        compare(marks((beat, "N")), marks((beat + away, "N")), sampling_rate_hz=rate, samples=500 * rate).qrs.tp
        for away in (window, window + 1)
    )
    assert (near, far) == (1, 0)


def test_a_candidate_whose_neighbour_fits_better_elsewhere_is_left_to_the_earlier_beat():
    """The case by which WFDB corrected its matching in 2002: 96 and 160 against 128 and 185."""
    reference, test = marks((75_096, "N"), (75_160, "N")), marks((75_128, "N"), (75_185, "N"))
    done = compare(reference, test, sampling_rate_hz=250, samples=100_000)
    assert pairs(done) == {"Nn": 2}


def test_scoring_can_start_at_once():
    reference = marks((50, "N"), (150, "V"))
    assert pairs(judged(reference, reference, start_s=0)) == {"Nn": 1, "Vv": 1}


def test_without_a_length_scoring_ends_at_the_last_reference_beat():
    reference, test = scored((500, "N")), scored((300, "N"), (500, "N"), (900, "N"))
    assert pairs(judged(reference, test, samples=None)) == {"Nn": 1, "On": 1}


def test_a_recording_shorter_than_the_learning_period_cannot_be_scored():
    with pytest.raises(DataError, match="200 s"):
        judged(marks((500, "N")), marks((500, "N")), samples=20_000)


# Shutdown


def test_an_extra_beat_where_the_reference_is_unreadable_is_counted_as_x():
    reference = scored((100, "N"), (200, "~", UNREADABLE), (500, "~", CLEAN), (800, "N"))
    done = judged(reference, scored((100, "N"), (300, "V"), (600, "V"), (800, "N")))
    assert pairs(done) == {"Nn": 2, "Xv": 1, "Ov": 1}
    assert done.qrs.fp == done.veb.fp == 2


def test_beats_missed_while_the_test_is_shut_down_are_counted_as_x_and_so_is_the_time():
    reference = scored((100, "N"), (300, "V"), (450, "S"), (600, "V"), (800, "N"))
    test = scored((100, "N"), (200, "~", UNREADABLE), (500, "~", CLEAN), (800, "N"))
    done = judged(reference, test)
    assert pairs(done) == {"Nn": 2, "Vx": 1, "Sx": 1, "Vo": 1}
    assert done.shutdown_s == 3
    assert done.qrs.fn == 3


def test_a_noisy_signal_that_can_be_read_is_no_shutdown():
    reference = scored((100, "N"), (300, "N"))
    assert pairs(judged(reference, scored((100, "N"), (200, "~", NOISY), (400, "~", CLEAN)))) == {"Nn": 1, "No": 1}
    without_subtypes = Annotations(reference.positions, reference.symbols)
    assert pairs(judged(without_subtypes, without_subtypes)) == {"Nn": 2}


def test_a_lone_unreadable_mark_fills_the_gap_between_its_neighbours():
    reference = scored((100, "N"), (500, "~", -1), (900, "N"))
    beats = [(100, "N"), (120, "V"), (400, "V"), (880, "V"), (900, "N")]
    assert pairs(judged(reference, scored(*beats))) == {"Nn": 2, "Xv": 3}
    near = judged(reference, scored((100, "N"), (114, "V"), (886, "V"), (900, "N")))
    assert pairs(near) == {"Nn": 2, "Ov": 2}


def test_of_two_unreadable_marks_in_a_row_the_first_is_a_lone_one():
    reference = scored((100, "N"), (200, "~", -1), (300, "~", -1), (500, "~", CLEAN), (800, "N"))
    test = scored((100, "N"), (150, "V"), (290, "V"), (400, "V"), (600, "V"), (800, "N"))
    assert pairs(judged(reference, test)) == {"Nn": 2, "Xv": 2, "Ov": 2}


def test_a_shutdown_that_does_not_end_lasts_to_the_end_of_the_recording():
    test = scored((100, "N"), (200, "~", UNREADABLE))
    done = judged(scored((100, "N"), (20_000, "V")), test)
    assert pairs(done) == {"Nn": 1, "Vx": 1}
    assert done.shutdown_s == 298
    assert judged(scored((100, "N")), test, samples=None).shutdown_s == 0


# Labels and figures


@pytest.mark.parametrize(
    ("label_map", "classes"),
    [
        ("aami", {"N": "NLRB", "S": "AaJSejn", "V": "VrE", "F": "F", "Q": "Q/f?"}),
        ("de_chazal", {"N": "NLRej", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQ"}),
    ],
)
def test_symbols_belong_to_the_classes_of_the_label_map(label_map: str, classes: dict[str, str]):
    for name, symbols in classes.items():
        for symbol in symbols:
            beat = scored((500, symbol))
            assert pairs(judged(beat, beat, label_map=label_map)) == {name + name.lower(): 1}


@pytest.mark.parametrize("symbol", "NLRBAaJSejnVrEF/fQ?")
def test_every_beat_has_a_class_in_both_label_maps(symbol: str):
    beat = scored((500, symbol))
    assert judged(beat, beat, label_map="de_chazal").qrs.tp == judged(beat, beat).qrs.tp == 1


def test_an_unknown_label_map_is_refused_with_those_there_are():
    with pytest.raises(SettingError, match="aami, de_chazal"):
        judged(scored((1, "N")), scored((1, "N")), label_map="mine")


def of(**counts: int) -> Comparison:
    matrix = np.zeros((7, 7), dtype=np.int64)
    for pair, count in counts.items():
        matrix[CLASSES.index(pair[0]), CLASSES.index(pair[1].upper())] = count
    return Comparison(matrix, "aami")


def test_fusion_and_unclassifiable_beats_called_ventricular_are_forgiven():
    done = of(Vv=60, Vn=10, Vo=7, Vx=3, Nv=8, Sv=4, Ov=2, Xv=1, Fv=50, Qv=50, Nn=100)
    assert (done.veb.tp, done.veb.fn, done.veb.fp) == (60, 20, 15)
    assert (done.veb.se, done.veb.ppv) == (75, 80)


def test_fusion_beats_called_supraventricular_are_false_but_unclassifiable_ones_are_forgiven():
    done = of(Ss=30, Sn=5, Sv=3, So=2, Ns=4, Vs=2, Fs=1, Os=2, Xs=1, Qs=50)
    assert (done.sveb.tp, done.sveb.fn, done.sveb.fp) == (30, 10, 10)
    assert (done.sveb.se, done.sveb.ppv) == (75, 75)


def test_summary_lines_forgive_fusion_beats_called_supraventricular_as_sumstats_does():
    one = of(Ss=3, Fs=1)
    assert one.sveb.ppv == 75
    assert gross([one]).sveb.ppv == 100
    assert average([one])["sveb_ppv"] == 100


def test_a_beat_counts_for_qrs_whatever_it_is_called():
    done = of(Nn=5, Nv=1, Vn=2, Qs=1, No=1, Fx=2, On=1, Xv=2)
    assert (done.qrs.tp, done.qrs.fn, done.qrs.fp) == (9, 3, 3)


def test_a_rate_of_nothing_is_nan():
    done = judged(scored((500, "N")), marks())
    assert done.qrs.se == 0
    for value in (done.qrs.ppv, done.veb.se, done.veb.ppv, done.sveb.se, done.rr_error_ms):
        assert np.isnan(value)


def test_rr_error_is_the_root_mean_square_of_what_rr_intervals_differ_by():
    reference = scored((100, "N"), (200, "N"), (300, "N"), (400, "N"))
    done = judged(reference, scored((100, "N"), (203, "N"), (299, "N"), (399, "N")))
    assert done.rr_error_ms == pytest.approx(10 * np.sqrt((3**2 + 4**2 + 0) / 3))


def test_rr_intervals_over_a_period_without_beats_do_not_count():
    reference = scored((100, "N"), (200, "N"), (250, "["), (290, "]"), (300, "N"))
    assert judged(reference, scored((100, "N"), (202, "N"), (305, "N"))).rr_error_ms == pytest.approx(20)


def test_gross_weighs_beats_and_average_weighs_records():
    large, small = of(Nn=90, No=10), of(Nn=5, No=5, Vv=1)
    assert gross([large, small]).qrs.se == pytest.approx(100 * 96 / 111)
    means = average([large, small])
    assert means["qrs_se"] == pytest.approx((90 + 100 * 6 / 11) / 2)
    assert means["veb_se"] == 100
    assert np.isnan(means["sveb_se"])


def test_gross_needs_comparisons_with_one_label_map():
    beat = scored((500, "N"))
    with pytest.raises(DataError, match="there are 2"):
        gross([judged(beat, beat), judged(beat, beat, label_map="de_chazal")])
    with pytest.raises(DataError, match="there are 0"):
        gross([])


BEATS = "NLRBAaJSejnVrEF/fQ?"
tracks = st.lists(
    st.tuples(st.integers(START - 500, LENGTH - 1), st.sampled_from(BEATS)), max_size=60, unique_by=lambda beat: beat[0]
).map(lambda beats: marks(*sorted(beats)))


@given(tracks)
def test_a_record_compared_with_itself_is_perfect(track: Annotations):
    done = judged(track, track)
    beats = int(np.sum(track.positions >= START))
    assert (done.qrs.tp, done.qrs.fn, done.qrs.fp) == (beats, 0, 0)
    assert int(np.trace(done.counts)) == beats
    assert done.veb.fp == done.sveb.fp == 0


@given(tracks, tracks)
def test_every_scored_reference_beat_is_counted_once_and_no_test_beat_twice(reference: Annotations, test: Annotations):
    done = judged(reference, test)
    assert done.qrs.tp + done.qrs.fn == np.sum(reference.positions >= START)
    extra = np.sum(test.positions >= START) - (done.qrs.tp + done.qrs.fp)
    assert -1 <= extra <= 1, "only the beat at the start of scoring may be taken in or left out"


@given(tracks, tracks, st.integers(0, 5000))
def test_moving_everything_by_the_same_time_changes_nothing(reference: Annotations, test: Annotations, shift: int):
    def moved(track: Annotations) -> Annotations:
        return Annotations(track.positions + shift * HZ, track.symbols)

    here = judged(reference, test)
    there = judged(moved(reference), moved(test), samples=LENGTH + shift * HZ, start_s=300 + shift)
    assert np.array_equal(here.counts, there.counts)
    np.testing.assert_equal(here.rr_error_ms, there.rr_error_ms)


@given(tracks, tracks, st.integers(1, 9))
def test_a_finer_clock_changes_nothing(reference: Annotations, test: Annotations, finer: int):
    def refined(track: Annotations) -> Annotations:
        return Annotations(track.positions * finer, track.symbols)

    there = compare(refined(reference), refined(test), sampling_rate_hz=HZ * finer, samples=LENGTH * finer)
    assert np.array_equal(judged(reference, test).counts, there.counts)


# The reference implementation


class Line(NamedTuple):
    counts: tuple[int, ...]
    rates: tuple[str, ...]


@pytest.fixture(scope="module")
def mitdb() -> Path:
    pytest.importorskip("wfdb")
    return folder_of("mitdb", ["101"])


@pytest.fixture(scope="module")
def golden(mitdb: Path) -> dict[str, FilesComparison]:
    if not GOLDEN.is_dir():
        pytest.skip(f"golden EC57 figures are not in {GOLDEN}")
    return {name: compare_files(mitdb, GOLDEN, test_ext=name) for name in ANNOTATORS}


def lines(name: str) -> dict[str, list[str]]:
    return {
        words[0]: words[1:] for words in (line.split() for line in (GOLDEN / name).read_text().splitlines()) if words
    }


def grouped(comparison: Comparison) -> list[int]:
    """The columns of bxb's line: by test class N+F+Q, S, V, none; in each N S V F+Q none of the reference."""
    groups = {"n": "NFQ", "s": "S", "v": "V", "o": "OX"}
    index = {name: [CLASSES.index(member) for member in group] for name, group in groups.items()}
    rows = [[0], [1], [2], [3, 4], [5, 6]]
    cells = [int(comparison.counts[np.ix_(row, index[name])].sum()) for name in "nsvo" for row in rows]
    return cells[:-1]


def printed(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"


def rates(figures: dict[str, float]) -> list[str]:
    return [printed(figures[name]) for name in RATES]


@pytest.mark.parametrize("annotator", ANNOTATORS)
def test_every_line_of_bxb_comes_out_the_same(golden: dict[str, FilesComparison], annotator: str):
    expected = lines(f"bxb_{annotator}.txt")
    del expected["Record"]
    assert len(expected) == 22
    found = {
        name: [*map(str, grouped(comparison)), *rates(comparison.summary())]
        for name, comparison in golden[annotator].records.items()
    }
    assert found == expected


@pytest.mark.parametrize("annotator", ANNOTATORS)
def test_every_matrix_of_bxb_comes_out_the_same(golden: dict[str, FilesComparison], annotator: str):
    for name, comparison in golden[annotator].records.items():
        text = (GOLDEN / f"matrix_{name}_{annotator}.txt").read_text()
        expected = [[int(word) for word in row.split()] for row in re.findall(r"^ [NVFQOX] \|(.*)$", text, re.M)]
        # This table of bxb knows no S: supraventricular beats are normal ones.
        merged = np.add.reduceat(np.add.reduceat(comparison.counts, [0, 2, 3, 4, 5, 6], axis=0), [0, 2, 3, 4, 5, 6], 1)
        assert [row[: len(want)] for row, want in zip(merged.tolist(), expected, strict=True)] == expected
        assert not merged[4:, 4:].any()


@pytest.mark.parametrize("annotator", ANNOTATORS)
def test_every_shutdown_line_of_bxb_comes_out_the_same(golden: dict[str, FilesComparison], annotator: str):
    expected = lines(f"shutdown_{annotator}.txt")
    for name, comparison in golden[annotator].records.items():
        counts = comparison.counts
        missed = [counts[CLASSES.index(row), CLASSES.index("X")] for row in "NSVFQ"]
        beats = counts[:5].sum(axis=1)
        parts = [slice(5), *(slice(row, row + 1) for row in range(4))]
        shares = [printed(100 * ratio(sum(missed[part]), beats[part].sum())) for part in parts]
        found = [*map(str, missed), *shares, str(comparison.shutdown_s), "seconds", *map(str, beats)]
        assert found == expected[name]


@pytest.mark.parametrize("annotator", ANNOTATORS)
def test_gross_and_average_lines_of_sumstats_come_out_the_same(golden: dict[str, FilesComparison], annotator: str):
    expected = lines(f"sumstats_{annotator}.txt")
    comparisons = list(golden[annotator].records.values())
    together = gross(comparisons)
    assert [str(count) for count in grouped(together)] == expected["Sum"]
    assert rates(together.summary())[:-1] == expected["Gross"]
    assert rates(average(comparisons)) == expected["Average"]
    totals = [tally.tp + tally.fn for tally in (together.qrs, together.veb, together.sveb)]
    assert totals == [int(word) for word in expected["Total"] if word.isdigit()]


# Files and the command


@pytest.fixture
def compared(ectopy):
    """The command, with its name."""
    return lambda *arguments: ectopy("ec57", *arguments)


def write(path: Path, annotations: Annotations, sampling_rate_hz: float | None = HZ) -> Path:
    wfdb = pytest.importorskip("wfdb")
    path.parent.mkdir(exist_ok=True)
    wfdb.wrann(
        path.stem,
        path.suffix.removeprefix("."),
        annotations.positions,
        annotations.symbols.tolist(),
        subtype=np.asarray(annotations.subtypes, dtype=np.int64),
        fs=sampling_rate_hz,
        write_dir=str(path.parent),
    )
    return path


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two records, of which the second has a missed V and a shutdown."""
    reference = scored((100, "N"), (200, "V"), (300, "N"))
    shut = scored((100, "N"), (150, "~", UNREADABLE), (270, "~", CLEAN), (300, "N"))
    for name, test in (("100", reference), ("101", shut)):
        write(tmp_path / "ours" / f"{name}.atr", reference)
        write(tmp_path / "theirs" / f"{name}.qrs", test)
    return tmp_path / "ours", tmp_path / "theirs"


def test_folders_are_compared_record_by_record(compared, folders: tuple[Path, Path], tmp_path: Path):
    figures = tmp_path / "figures.json"
    done = assert_success(compared(*folders, "--test-ext", "qrs", "--json", figures))
    for word in ("aami", "100", "101", "gross", "average", "66.67"):
        assert word in done.out
    found = json.loads(figures.read_text())
    assert found["label_map"] == "aami"
    assert list(found["records"]) == ["100", "101"]
    assert found["records"]["100"]["veb_se"] == 100
    second = found["records"]["101"]
    assert (second["qrs_tp"], second["qrs_fn"], second["qrs_fp"], second["veb_fn"]) == (2, 1, 0, 1)
    assert (second["veb_se"], second["veb_ppv"], second["sveb_se"], second["shutdown_s"]) == (0, None, None, 1)
    assert (found["gross"]["qrs_tp"], found["gross"]["veb_se"], found["average"]["veb_ppv"]) == (5, 50, 100)


def test_records_and_annotation_files_are_taken_too(compared, folders: tuple[Path, Path]):
    ours, theirs = folders
    ways = [
        (ours / "101", theirs / "101", "--test-ext", "qrs"),
        (ours / "101.atr", theirs / "101.qrs"),
        (ours, theirs / "101.qrs"),
    ]
    told = [json.loads(compared(*way, "--json", "-").out)["records"] for way in ways]
    assert told[0] == told[1] == told[2]
    assert list(told[0]) == ["101"]


def test_the_label_map_changes_the_classes_and_is_named(compared, tmp_path: Path):
    beats = scored((100, "N"), (200, "e"))
    files = write(tmp_path / "a" / "100.atr", beats), write(tmp_path / "b" / "100.tst", beats)
    for label_map, supraventricular in (("aami", 1), ("de_chazal", 0)):
        done = compared(*files, "--label-map", label_map, "--json", "-")
        assert json.loads(done.out)["gross"]["sveb_tp"] == supraventricular
        assert label_map in done.err


def test_records_on_one_side_only_are_named(compared, folders: tuple[Path, Path]):
    ours, theirs = folders
    write(ours / "203.atr", scored((100, "N")))
    done = assert_success(compared(ours, theirs, "--test-ext", "qrs"))
    assert "left out: 203." in done.out


def test_the_header_tells_rate_and_length_where_the_file_does_not(compared, folders: tuple[Path, Path]):
    ours, theirs = folders
    late = scored((100, "N"), (200, "V"), (300, "N"), (5000, "N"))
    write(ours / "100.atr", scored((100, "N"), (200, "V"), (300, "N")), sampling_rate_hz=None)
    write(theirs / "100.qrs", late, sampling_rate_hz=None)
    assert_refused(compared(ours / "100.atr", theirs / "100.qrs"), "sampling rate", ".hea")
    header = ours / "100.hea"
    for length, extra in ((LENGTH, 1), (START + 1000, 0)):
        header.write_text(f"100 1 {HZ} {length}\n100.dat 16 200 11 0 0 0 0 I\n")
        done = compared(ours / "100.atr", theirs / "100.qrs", "--json", "-")
        assert json.loads(done.out)["gross"]["qrs_fp"] == extra


def test_what_cannot_be_compared_is_refused_in_one_sentence(compared, folders: tuple[Path, Path], tmp_path: Path):
    ours, theirs = folders
    other_rate = write(tmp_path / "other" / "100.qrs", scored((100, "N")), sampling_rate_hz=360)
    other_name = write(tmp_path / "other" / "999.qrs", scored((100, "N")))
    empty = tmp_path / "empty" / "100.qrs"
    empty.parent.mkdir()
    empty.touch()
    torn = tmp_path / "empty" / "101.qrs"
    torn.write_bytes(b"\x01")
    assert_refused(compared(ours / "100", tmp_path / "nowhere", "--test-ext", "qrs"), "nowhere")
    assert_refused(compared(ours, theirs, "--test-ext", "nil"), "*.nil")
    assert_refused(compared(ours, theirs), "--test-ext")
    assert_refused(compared(ours, other_name), "no record is in both", "100, 101", "999")
    assert_refused(compared(ours, empty), "100.qrs is empty")
    assert_refused(compared(ours, torn), "101.qrs")
    assert_refused(compared(ours, other_rate), "360 Hz", "100 Hz")
    assert_refused(compared(ours, theirs, "--test-ext", "qrs", "--label-map", "mine"), "aami, de_chazal")
    assert_refused(compared(ours, theirs, "--test-ext", "qrs", "--json", tmp_path / "no" / "x.json"), "does not exist")
    header = ours / "100.hea"
    header.write_text(f"100 1 {HZ} 20000\n100.dat 16 200 11 0 0 0 0 I\n")
    assert_refused(compared(ours / "100", theirs / "100.qrs"), "100", "200 s")
