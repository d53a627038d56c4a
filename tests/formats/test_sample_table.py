"""Text, Parquet and NPY tables: what is a lead, what tells the time, and what is refused with its reason."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ectopy
from ectopy import Recording
from ectopy.analysis.inspection import inspect
from ectopy.datasets import simulate_recording
from ectopy.errors import DataError
from ectopy.formats.clocks import parse_date, parse_date_time, parse_time_of_day
from ectopy.formats.leads import Stated, is_ecg
from ectopy.formats.sample_stream import SampleLines
from ectopy.recording import Patient
from support import refusals
from support.examples import examples
from support.memory import takes_at_most
from support.parquet_files import write_parquet

ROWS = 500
RATE_HZ = 250.0
_MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(40), deadline=None)


def lead(factor: float = 1.0, rows: int = ROWS) -> np.ndarray:
    """Something like an ECG, in mV with three decimals."""
    place = np.arange(rows)
    noise = np.random.default_rng(7).normal(0, 0.02, rows)
    return np.round(factor * (np.exp(-(((place % 200) - 100) ** 2) / 20) + 0.1 * np.sin(place / 30) + noise), 3)


II, V1 = lead(), lead(-0.5)
TIMES = np.arange(ROWS) / RATE_HZ


def comma(value: float, decimals: int = 3) -> str:
    return f"{value:.{decimals}f}".replace(".", ",")


def table(header: str, *columns: Sequence[object], separator: str = ",") -> str:
    lines = [separator.join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([header, *lines] if header else lines) + "\n"


def read(folder: Path, content: str, name: str = "rec.csv", **stated: object) -> Recording:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return ectopy.read(path, **stated)


def refusal(folder: Path, content: str, name: str = "rec.csv", **stated: object) -> str:
    (folder / name).write_text(content, encoding="utf-8")
    return refusals.refusal(folder / name, **stated)


def holds(recording: Recording, *leads: np.ndarray) -> None:
    """The leads and no other column, at the usual rate."""
    assert recording.sampling_rate_hz == RATE_HZ
    np.testing.assert_allclose(recording.signal, np.stack(leads, axis=1), rtol=1e-5, atol=1e-7)


# Times

UNIX = 1_706_779_230


@pytest.mark.parametrize(
    ("header", "times"),
    [
        ("time,II", TIMES),
        ("Elapsed time (s),II", TIMES),
        ("timestamp,II", (1000 + 1000 * TIMES).astype(int)),
        ("time_ms,II", 1000 * TIMES),
        ("Time [ms],II", (1000 * TIMES).astype(int)),
        ("seconds,II", [f"{time:.3f}" for time in TIMES]),
        ("t / us,II", (1e6 * TIMES).astype(int)),
        ("timeMillis,II", (1000 * TIMES).astype(int)),
        ("sensor timestamp [ns],II", [599_628_000_000_000_000 + 4_000_000 * row for row in range(ROWS)]),
        ("hh:mm:ss,II", [f"12:00:{time:06.3f}" for time in TIMES]),
        ("Elapsed time,II", [f"'0:{time:06.3f}'" for time in TIMES]),
        ("", TIMES),
        ("", (1000 * TIMES).astype(int)),
        (",II", TIMES),
    ],
)
def test_times_are_not_a_lead_and_give_the_rate(tmp_path: Path, header: str, times: Sequence[object]) -> None:
    for separator in (",", ";", "\t"):
        content = table(header.replace(",", separator), times, II, separator=separator)
        recording = read(tmp_path, content, unit="mV")
        holds(recording, II)
        assert recording.leads == (("II",) if header else ("lead 1",))
        assert recording.start is None
        assert read(tmp_path, content, unit="mV", sampling_rate_hz=250).sampling_rate_hz == 250
        assert "250" in refusal(tmp_path, content, unit="mV", sampling_rate_hz=300)


@pytest.mark.parametrize(
    ("header", "first", "start"),
    [
        ("timestamp", lambda time: f"{UNIX + time:.3f}", datetime.fromtimestamp(UNIX, UTC)),
        ("time", lambda time: round(1000 * (UNIX + time)), datetime.fromtimestamp(UNIX, UTC)),
        ("unix_ns", lambda time: UNIX * 10**9 + round(time * 1e9), datetime.fromtimestamp(UNIX, UTC)),
        ("date", lambda time: f"2024-03-26T17:30:{time:06.3f}", datetime(2024, 3, 26, 17, 30)),
        ("Date Time", lambda time: f"26.03.2024 17:30:{time:06.3f}", datetime(2024, 3, 26, 17, 30)),
        ("timestamp", lambda time: f"[17:30:{time:06.3f} 26/03/2024]", datetime(2024, 3, 26, 17, 30)),
        ("", lambda time: f"2024-03-26 17:30:{time:06.3f}", datetime(2024, 3, 26, 17, 30)),
    ],
)
def test_dates_and_unix_times_give_the_start(tmp_path: Path, header: str, first: object, start: datetime) -> None:
    recording = read(tmp_path, table(f"{header},II (mV)", map(first, TIMES), II))  # type: ignore[arg-type]
    holds(recording, II)
    assert recording.start == start


def test_a_clock_goes_on_after_midnight(tmp_path: Path) -> None:
    midnight = datetime(2000, 1, 1)
    times = [f"{midnight + timedelta(seconds=time - 1):%H:%M:%S.%f}" for time in TIMES]
    assert times[0].startswith("23:59")
    holds(read(tmp_path, table("clock,II", times, II), unit="mV"), II)


def test_the_most_even_clock_is_used(tmp_path: Path) -> None:
    jitter = np.random.default_rng(3).integers(0, 30, ROWS)
    phone = [f"2024-03-26T17:30:{second:06.3f}" for second in np.sort(TIMES + jitter / 1000)]
    sensor = [599_628_000_000_000_000 + 4_000_000 * row for row in range(ROWS)]
    content = table("Phone timestamp;sensor timestamp [ns];ecg [uV]", phone, sensor, 1000 * II, separator=";")
    recording = read(tmp_path, content, "Polar.txt")
    holds(recording, II)
    assert recording.start.replace(microsecond=0) == datetime(2024, 3, 26, 17, 30)


@pytest.mark.parametrize(
    ("rate", "decimals", "rows"),
    [
        *((rate, 3, 9000) for rate in (130, 360, 700, 800, 960, 977, 999, 998.75)),
        *((80, 2, 1600), (128, 2, 9000), (250, 2, 9000), (512.844, 4, 9000)),
    ],
)
@pytest.mark.parametrize("rounding", [np.rint, np.floor])
def test_the_rate_of_rounded_times(tmp_path: Path, rate: float, decimals: int, rows: int, rounding: np.ufunc) -> None:
    scale = 10.0**decimals
    times = [f"{time:.{decimals}f}" for time in rounding(17 * scale + np.arange(rows) / rate * scale) / scale]
    content = table("time,II (mV)", times, lead(rows=rows))
    recording = read(tmp_path, content)
    assert recording.sampling_rate_hz == pytest.approx(rate, rel=2e-5)
    assert recording.signal.shape == (rows, 1)
    assert not np.isnan(recording.signal).any()
    stated = read(tmp_path, content, sampling_rate_hz=rate)
    assert stated.sampling_rate_hz == rate
    np.testing.assert_array_equal(stated.signal, recording.signal)


@_MANY
@given(
    rate=st.integers(100, 950),
    decimals=st.integers(3, 6),
    rows=st.integers(1500, 3000),
    gap=st.integers(0, 400),
    origin=st.integers(0, 10_000),
)
def test_times_of_any_rate_and_rounding(
    tmp_path: Path, rate: int, decimals: int, rows: int, gap: int, origin: int
) -> None:
    gap = 0 if gap < 5 else gap
    places = np.r_[0:700, 700 + gap : rows + gap]
    times = [f"{time:.{decimals}f}" for time in origin + places / rate]
    content = table("time,II (mV)", times, lead(rows=rows))
    for stated in ({}, {"sampling_rate_hz": rate}):
        recording = read(tmp_path, content, **stated)
        assert recording.sampling_rate_hz == pytest.approx(rate, rel=2e-4)
        assert abs(len(recording.signal) - (rows + gap)) <= 1
        assert np.isnan(recording.signal).sum() == len(recording.signal) - rows


def test_missing_rows_are_missing_also_at_a_thousand_hertz(tmp_path: Path) -> None:
    places = np.delete(np.arange(3000), [500, 501, 1100, 1900, 2507])
    content = table("time,II (mV)", [f"{place / 1000:.3f}" for place in places], lead(rows=len(places)))
    recording = read(tmp_path, content)
    assert recording.sampling_rate_hz == 1000
    assert np.flatnonzero(np.isnan(recording.signal[:, 0])).tolist() == [500, 501, 1100, 1900, 2507]


def test_times_of_whole_packets(tmp_path: Path) -> None:
    times = [f"{row // 73 * 73 / 130:.3f}" for row in range(730)]
    content = table("time,II (mV)", times, lead(rows=730))
    assert "leaves the sampling rate open" in refusal(tmp_path, content)
    recording = read(tmp_path, content, sampling_rate_hz=130)
    assert recording.signal.shape == (730, 1)
    assert "evenly spaced at 500 Hz" in refusal(tmp_path, content, sampling_rate_hz=500)


def test_a_stated_rate_must_agree_with_the_times_and_a_wrong_one_is_not_taken_for_jitter(tmp_path: Path) -> None:
    content = table("time,II (mV)", TIMES, II)
    assert read(tmp_path, f"# Sampling rate: 250 Hz\n{content}").sampling_rate_hz == 250
    assert "500 Hz, and its times have 250 Hz" in refusal(tmp_path, f"# Sampling rate: 500 Hz\n{content}")
    few = table("time,II", TIMES[:60], II[:60])
    assert read(tmp_path, few, unit="mV").sampling_rate_hz == 250
    assert "not evenly spaced at 252 Hz" in refusal(tmp_path, few, unit="mV", sampling_rate_hz=252)


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([*TIMES[:-1], TIMES[3]], "do not increase"),
        ([*TIMES[:-1], ""], "missing"),
        ([*TIMES[:250], *(TIMES[250:] * 1.7)], "not evenly spaced"),
        (np.cumsum(np.random.default_rng(1).exponential(0.004, ROWS)), "not evenly spaced"),
        (["noon"] * ROWS, "'noon' in column 1; expected seconds"),
        (range(ROWS), "give the rate"),
    ],
)
def test_times_that_tell_no_rate(tmp_path: Path, times: Sequence[object], words: str) -> None:
    assert words in refusal(tmp_path, table("time,II", times, II), unit="mV")


@pytest.mark.parametrize("gap_s", [60.0, 40_000.0, 1e6, 1e9])
def test_gaps_are_limited_to_a_share_of_what_is_there(tmp_path: Path, gap_s: float) -> None:
    late = [f"{gap_s + time:.4f}" for time in TIMES]
    text = table("time (s),II (mV)", [*TIMES, *late], [*II, *II])
    assert len(text) < 25_000
    with takes_at_most(20):
        message = refusal(tmp_path, text)
    assert "times as long as what is recorded, and may have 10 times: split it at the gaps" in message
    path = tmp_path / "rec.parquet"
    write_parquet(path, {"time (s)": np.r_[TIMES, gap_s + TIMES], "II (mV)": np.r_[II, II]})
    assert "split it at the gaps" in refusals.refusal(path)


def test_a_gap_is_kept(tmp_path: Path) -> None:
    recording = read(tmp_path, table("time,II", np.r_[TIMES, 10 + TIMES], [*II, *II]), unit="mV")
    assert len(recording.signal) == 3000
    assert np.isnan(recording.signal[500:2500]).all()
    np.testing.assert_allclose(recording.signal[2500:, 0], II, rtol=1e-6)


# Counters, labels and other columns


@pytest.mark.parametrize(
    ("header", "columns", "left_out"),
    [
        ("sample,II", (range(ROWS), II), "'sample' (a counter)"),
        ("Unnamed: 0,II", (range(ROWS), II), "'Unnamed: 0' (a counter)"),
        ("nSeq,II", ([row % 16 for row in range(ROWS)], II), "'nSeq' (a counter)"),
        ("", (range(1, ROWS + 1), II), "column 1 (a counter)"),
        ("II,label", (II, [row % 50 == 0 for row in range(ROWS)]), "'label' (labels or states)"),
        ("II,symbol", (II, ["N" if row % 200 == 100 else "" for row in range(ROWS)]), "'symbol' (labels or states)"),
        ("", (II, [int(row % 50 == 0) for row in range(ROWS)]), "column 2 (labels or states)"),
        ("ch1,ch2", (II, [3 * (row > 300) for row in range(ROWS)]), "column 2 (labels or states)"),
        ("raw_ecg,filtered_resp,hr", (II, V1, [72.0] * ROWS), "'filtered_resp' (not ECG), 'hr' (not ECG)"),
        ("MLII,HR,SpO2", (II, [72] * ROWS, [98] * ROWS), "'HR' (not ECG), 'SpO2' (not ECG)"),
        ("II (mV),RESP (mV)", (II, V1), "'RESP' (not ECG)"),
        ("II,CVP (mmHg),SpO2 [%],Z (Ohm)", (II, V1, V1, V1), "'CVP' (in mmHg), 'SpO2' (in %), 'Z' (in Ohm)"),
        ("ECG_Clean,ECG_Rate,ECG_R_Peaks", (II, V1, V1), "'ECG_Rate' (not ECG), 'ECG_R_Peaks' (labels or states)"),
        ("II,foo", (II, V1), "'foo' (not called ECG)"),
        ("ECG (mV),AccX", (II, V1), "'AccX' (not ECG)"),
        ("RR (ms),II", (800 + 100 * V1, II), "'RR' (in ms)"),
    ],
)
def test_only_ecg_is_read_and_the_rest_is_told(
    tmp_path: Path, header: str, columns: Sequence[Sequence[object]], left_out: str
) -> None:
    recording = read(tmp_path, table(header, *columns), unit="mV", sampling_rate_hz=250)
    holds(recording, II)
    assert recording.notes == (f"Left out: {left_out}.",)
    assert inspect(recording).summary()["notes"] == list(recording.notes)


def test_a_flat_lead_is_a_lead(tmp_path: Path) -> None:
    flat = [0] * ROWS
    assert read(tmp_path, table("", II, flat), unit="mV", sampling_rate_hz=250).signal.shape == (ROWS, 2)
    few = [row % 3 for row in range(ROWS)]
    assert read(tmp_path, table("II,V1", II, few), unit="mV", sampling_rate_hz=250).leads == ("II", "V1")
    assert read(tmp_path, table("ch1,ch2", flat, few), unit="mV", sampling_rate_hz=250).signal.shape == (ROWS, 2)


def test_rows_that_a_counter_leaves_out_are_missing(tmp_path: Path) -> None:
    places = np.r_[0:300, 340:540]
    for header in ("sample,II", ",II", ""):
        recording = read(tmp_path, table(header, places, II), unit="mV", sampling_rate_hz=250)
        assert len(recording.signal) == 540
        assert np.isnan(recording.signal[300:340]).all()
    far = [*range(499), 10**12]
    assert "split it at the gaps" in refusal(tmp_path, table("sample,II", far, II), unit="mV", sampling_rate_hz=250)


@pytest.mark.parametrize(
    ("header", "description"),
    [
        ("ECG (counts)", "'ECG' (in counts)"),
        ("ABP (mmHg)", "'ABP' (in mmHg)"),
        ("label", "'label' (labels or states)"),
        ("II [%]", "'II' (in %)"),
        ("heart rate", "'heart rate' (not ECG)"),
    ],
)
def test_what_is_not_ecg_is_refused_whatever_unit_is_stated(tmp_path: Path, header: str, description: str) -> None:
    message = refusal(tmp_path, table(header, II), unit="mV", sampling_rate_hz=250)
    assert "holds no lead" in message
    assert description in message


@pytest.mark.parametrize(
    ("header", "factor"),
    [("II (uV)", 1e-3), ("II [µV]", 1e-3), ("ecg_uV", 1e-3), ("ECG / V", 1e3), ("II (mV)", 1), ("II\nuV", 1e-3)],
)
def test_the_unit_of_the_file_is_read_and_another_one_refused(tmp_path: Path, header: str, factor: float) -> None:
    recording = read(tmp_path, table(header, II), sampling_rate_hz=250)
    np.testing.assert_allclose(recording.signal[:, 0], II * factor, rtol=1e-5, atol=1e-7)
    assert len(recording.leads[0]) <= 3
    message = refusal(tmp_path, table(header, II), unit="nV", sampling_rate_hz=250)
    assert re.search(r"states the unit .?V, not nV: leave yours out\.$", message)


def test_two_header_lines(tmp_path: Path) -> None:
    times = [f"{time:.3f}" for time in TIMES]
    content = table("'Elapsed time','MLII','V1','ABP'\n'seconds','mV','uV','mmHg'", times, II, 1000 * V1, II)
    recording = read(tmp_path, content)
    holds(recording, II, V1)
    assert recording.leads == ("MLII", "V1")
    assert recording.notes == ()
    (wave,) = recording.pulses
    assert (wave.name, wave.unit, wave.sampling_rate_hz) == ("ABP", "mmHg", recording.sampling_rate_hz)
    np.testing.assert_allclose(wave.samples, II, atol=1e-4)


def test_leads_of_the_same_name_are_numbered(tmp_path: Path) -> None:
    recording = read(tmp_path, table("ECG,ECG,ECG", II, V1, II), unit="mV", sampling_rate_hz=250)
    assert recording.leads == ("ECG", "ECG 2", "ECG 3")
    holds(recording, II, V1, II)


def test_names_of_ecg() -> None:
    assert all(map(is_ecg, ("ECG", "raw_ecg", "rawECG", "ekg1", "II", "aVR", "MLII", "V12", "vx", "Lead I", "ECG II")))
    assert not any(map(is_ecg, ("EEG", "SECG2", "RESP", "value", "IV", "Vent", "time")))


# Headers


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("scale", [1.0, 512.0])
def test_headers_of_numbers_are_not_samples(tmp_path: Path, index: bool, scale: float) -> None:
    pandas = pytest.importorskip("pandas")
    values = np.stack([II, V1], axis=1)
    if scale != 1:
        values = np.rint(500 + scale * values).astype(int)
    content = pandas.DataFrame(values).to_csv(index=index)
    recording = read(tmp_path, content, unit="mV", sampling_rate_hz=250)
    np.testing.assert_allclose(recording.signal, values, rtol=1e-5)
    assert recording.leads == ("lead 1", "lead 2")
    from_one = pandas.DataFrame(values, columns=[1, 2]).to_csv(index=False)
    np.testing.assert_allclose(read(tmp_path, from_one, unit="mV", sampling_rate_hz=250).signal, values, rtol=1e-5)
    saved_twice = pandas.read_csv(io.StringIO(content)).to_csv()
    recording = read(tmp_path, saved_twice, unit="mV", sampling_rate_hz=250)
    np.testing.assert_allclose(recording.signal, values, rtol=1e-5)


def test_small_whole_numbers_without_a_header_are_samples(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    walk = np.cumsum(rng.integers(-1, 2, (ROWS, 2)), axis=0)
    walk[0] = 0, 1
    content = table("", *walk.T)
    np.testing.assert_array_equal(read(tmp_path, content, unit="mV", sampling_rate_hz=250).signal, walk)


def test_an_index_of_times(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    index = pandas.date_range("2024-02-01 10:20:30", periods=ROWS, freq="4ms")
    recording = read(tmp_path, pandas.DataFrame({"ECG": II}, index=index).to_csv(), unit="mV")
    holds(recording, II)
    assert recording.start == datetime(2024, 2, 1, 10, 20, 30)


def test_a_bad_cell_is_not_taken_for_a_header(tmp_path: Path) -> None:
    stated = {"unit": "mV", "sampling_rate_hz": 250}
    message = refusal(tmp_path, "II,V5\nx,2\n" + table("", II, V1), **stated)
    assert "line 2, column 1 (II): 'x' is text where a number belongs" in message
    assert "line 1, column 1: 'x'" in refusal(tmp_path, "x,2,3\n" + table("", II, V1, II), **stated)
    assert "line 4 has 1 column, and" in refusal(tmp_path, "1,2\n3,5\n4,4\n5\n", **stated)
    assert "names 2" in refusal(tmp_path, "II,V5\n" + table("", II, V1, II), **stated)


# Decimal commas and separators


@pytest.mark.parametrize("header", ["", "II (mV)\n", "Lead,Lead II\nUnit,mV\n", "# ECG\n"])
@pytest.mark.parametrize("decimals", [1, 2, 3, 6])
def test_decimal_commas_of_one_lead(tmp_path: Path, header: str, decimals: int) -> None:
    values = np.round(II * (100 if decimals == 1 else 1), decimals)
    content = header + "".join(f"{comma(value, decimals)}\n" for value in values)
    recording = read(tmp_path, content, unit="mV", sampling_rate_hz=250)
    holds(recording, values)


@pytest.mark.parametrize("separator", [";", "\t", " "])
@pytest.mark.parametrize("header", ["time{0}II{0}V1\n", ""])
def test_decimal_commas_between_other_separators(tmp_path: Path, separator: str, header: str) -> None:
    columns = ([comma(value) for value in column] for column in (TIMES, II, V1))
    content = header.format(separator) + table("", *columns, separator=separator)
    holds(read(tmp_path, content, "rec.txt", unit="mV"), II, V1)


@pytest.mark.parametrize("header", ["time,II", "", "a,b,c,d"])
def test_commas_in_numbers_and_between_columns_are_refused(tmp_path: Path, header: str) -> None:
    for times in ([comma(time) for time in TIMES], range(1000, 1000 + 4 * ROWS, 4)):
        content = table(header, times, map(comma, II))
        assert "commas both in numbers" in refusal(tmp_path, content, unit="mV")
        assert "commas both in numbers" in refusal(tmp_path, content, unit="mV", sampling_rate_hz=250)


def test_whole_numbers_with_leading_zeros(tmp_path: Path) -> None:
    counts = [np.rint(500 + 100 * values).astype(int) for values in (II, V1)]
    content = table("", *([f"{count:05}" for count in column] for column in counts))
    recording = read(tmp_path, content, unit="uV", sampling_rate_hz=250)
    np.testing.assert_allclose(recording.signal, np.stack(counts, axis=1) / 1000, rtol=1e-6)


def test_commas_and_points_in_numbers_are_refused(tmp_path: Path) -> None:
    content = table("time;II", map(comma, TIMES), (f"1.{200 + row % 100},5" for row in range(ROWS)), separator=";")
    assert "with a comma" in refusal(tmp_path, content, unit="uV")
    content = table("time;II", TIMES, map(comma, II), separator=";")
    assert "save it with decimal points" in refusal(tmp_path, content, unit="uV")


@_MANY
@given(st.integers(0, 2**32 - 1), st.sampled_from([300, 1000, 30_000]))
def test_two_columns_of_whole_numbers_stay_two(tmp_path: Path, seed: int, level: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.rint(level * (1 + 0.2 * rng.standard_normal((60, 2)))).astype(int)
    recording = read(tmp_path, table("", *values.T), unit="uV", sampling_rate_hz=250)
    np.testing.assert_allclose(recording.signal, values / 1000, rtol=1e-6)


def test_many_columns_take_little_memory(tmp_path: Path) -> None:
    wide = ",".join(["1.5"] * 20_000) + "\n"
    (tmp_path / "rec.csv").write_text(wide * 120, encoding="utf-8")
    with takes_at_most(100):
        message = refusals.refusal(tmp_path / "rec.csv", unit="mV", sampling_rate_hz=250)
    assert "20000 leads, and a recording may have 64" in message


@pytest.mark.parametrize(
    "cell", ["II" + " " * 90_000 + "(mV", " " * 90_000 + "x", "1:2" + " " * 90_000 + "+x", "a" * 90_000]
)
def test_long_cells_take_little_time(tmp_path: Path, cell: str) -> None:
    for content in (
        f"{cell}\n1\n2\n",
        f"# {cell}\n1\n2\n",
        f"time,{cell}\n0,1\n1,2\n",
        f"time,II\n{cell},1\n{cell},2\n",
    ):
        with suppress(DataError):
            read(tmp_path, content, unit="mV", sampling_rate_hz=250)


def test_a_separator_at_the_end_of_each_row(tmp_path: Path) -> None:
    for separator in (",", ";", "\t"):
        for header in ("", f"time{separator}II\n"):
            rows = table("", TIMES, II, [""] * ROWS, separator=separator)
            holds(read(tmp_path, header + rows, unit="mV"), II)


def test_what_numpy_writes(tmp_path: Path) -> None:
    for header in ("", "time ecg"):
        np.savetxt(tmp_path / "rec.txt", np.stack([TIMES, II], axis=1), header=header)
        holds(ectopy.read(tmp_path / "rec.txt", unit="mV"), II)


# Preambles


@pytest.mark.parametrize(
    ("preamble", "rate", "start"),
    [
        (
            "Recorded Date,2024-02-01 10:20:30 +0100\nSample Rate,512.844 hertz\n\nLead,Lead I\nUnit,µV\n\n",
            512.844,
            True,
        ),
        (
            "Aufzeichnungsdatum;2024-02-01 10:20:30 +0100\nAbtastrate;512,844 Hertz\nEinheit;µV\nAbleitung;I\n",
            512.844,
            True,
        ),
        ("Version,1.90\nSymptoms,\nDevice,3\nFs,250\nLead,I\nUnit,uV\n", 250, False),
        ("# Sampling Rate (Hz):= 250.00\n# Labels:= I\n# Units:= uV\n", 250, False),
        ("% fs = 1 kHz\n% unit = uV\n% channel = I\n", 1000, False),
        ("Interval=\t0.005 s\nChannelTitle=\tI\nUnits=\tuV\n", 200, False),
        ("// sampling interval (ms): 2\n// lead: I\n// unit: uV\n", 500, False),
    ],
)
def test_preambles_state_rate_unit_lead_and_start(tmp_path: Path, preamble: str, rate: float, start: bool) -> None:
    recording = read(tmp_path, preamble + table("", 1000 * II), "rec.txt")
    assert recording.sampling_rate_hz == pytest.approx(rate)
    assert recording.leads == ("I",)
    np.testing.assert_allclose(recording.signal[:, 0], II, rtol=1e-5)
    with_commas = read(tmp_path, preamble + "".join(f"{comma(1000 * value)}\n" for value in II), "rec.txt")
    np.testing.assert_array_equal(with_commas.signal, recording.signal)
    assert (recording.start is not None) == start
    if recording.start is not None:
        assert recording.start.isoformat() == "2024-02-01T10:20:30+01:00"
    nearly = round(rate, 3)
    assert read(tmp_path, preamble + table("", II), "rec.txt", sampling_rate_hz=nearly).sampling_rate_hz == nearly
    assert "states a sampling rate" in refusal(tmp_path, preamble + table("", II), "rec.txt", sampling_rate_hz=rate + 7)


def test_a_preamble_in_json_names_sensors(tmp_path: Path) -> None:
    head = (
        '# OpenSignals Text File Format\n# {"00:07": {"sensor": ["ECG", "RESP"], "sampling rate": 250, "column": '
        '["nSeq", "I1", "A1", "A2"], "label": ["A1", "A2"], "date": "2020-1-2", "time": "12:0:1.5"}}\n# EndOfHeader\n'
    )
    counts = np.rint(512 + 100 * II).astype(int)
    rows = table("", [row % 16 for row in range(ROWS)], [0] * ROWS, counts, V1, [""] * ROWS, separator="\t")
    recording = read(tmp_path, head + rows, "rec.txt", unit="uV")
    assert recording.leads == ("ECG A1",)
    holds(recording, counts / 1000)
    assert recording.start == datetime(2020, 1, 2, 12, 0, 1, 500_000)
    assert "RESP" in recording.notes[0]


def test_a_preamble_padded_to_the_width_of_the_table(tmp_path: Path) -> None:
    head = "Patient;M. Muster;;\nSampling rate;250;;\n;;;\nII;V1;HR;Event\n"
    rows = table("", map(comma, II), map(comma, V1), [72] * ROWS, [""] * ROWS, separator=";")
    holds(read(tmp_path, head + rows, unit="mV"), II, V1)


def test_a_unit_that_is_not_of_voltage_in_a_preamble(tmp_path: Path) -> None:
    assert "found 'counts'" in refusal(tmp_path, "Sample Rate: 250\nUnit: counts\n" + table("", II), unit="mV")


def test_birth_dates_are_not_the_start(tmp_path: Path) -> None:
    content = "Date of Birth: 1990-01-01 00:00\nSample Rate: 250\n" + table("", II)
    assert read(tmp_path, content, unit="mV").start is None


@pytest.mark.parametrize(
    "text", ["2024-02-30 10:00", "10:00", "25/13/2024 10:00", "", "[", "9999-99-99 99:99", "31.12.9999 999:00:00"]
)
def test_what_is_not_a_date_and_time(text: str) -> None:
    assert parse_date_time(text) is None
    assert parse_date(text) is None


def test_times_of_day() -> None:
    assert parse_time_of_day("1:02:03,5") == 3723.5
    assert parse_time_of_day("62:03.25") == 3723.25
    assert parse_time_of_day("noon") is None


# The heart is the same however the table is written


def test_beats_are_the_same_in_every_form(tmp_path: Path) -> None:
    original = simulate_recording(30, leads=1, random_state=2)
    rate, signal = original.sampling_rate_hz, original.signal[:, 0]
    expected = inspect(original).heartbeats_s
    assert len(expected) > 20
    times = np.arange(len(signal)) / rate
    forms = {
        "decimal comma": "".join(f"{comma(value, 6)}\n" for value in signal),
        "time first": table("", times, signal),
        "pandas": table(",0", range(len(signal)), signal),
        "labels": table("MLII,label", signal, (int(row % 300 == 0) for row in range(len(signal)))),
        "rounded": table("time,II", (f"{time:.3f}" for time in times), signal),
        "semicolons": table("t;II;Resp", map(comma, times), map(comma, signal), map(comma, times), separator=";"),
    }
    for form, content in forms.items():
        heartbeats_s = inspect(read(tmp_path, content, unit="mV", sampling_rate_hz=rate)).heartbeats_s
        np.testing.assert_allclose(heartbeats_s, expected, atol=0.01, err_msg=form)


# Parquet and NPY


def test_parquet_columns(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "rec.parquet"
    start = datetime(2024, 2, 1, 10, 20, 30)
    stamps = [start + timedelta(milliseconds=4 * row) for row in range(ROWS)]
    for columns, expected_start in (
        ({"timestamp": stamps, "II (mV)": II}, start),
        ({"time": [stamp.replace(tzinfo=UTC) for stamp in stamps], "II (mV)": II}, start.replace(tzinfo=UTC)),
        ({"date": [stamp.isoformat() for stamp in stamps], "II (mV)": II}, start),
        ({"time": [timedelta(milliseconds=4 * row) for row in range(ROWS)], "II (mV)": II}, None),
        ({"timestamp": UNIX * 1000 + np.arange(ROWS) * 4, "II (mV)": II}, datetime.fromtimestamp(UNIX, UTC)),
        ({"Elapsed time (ms)": np.arange(ROWS) * 4, "II (mV)": II, "label": np.arange(ROWS) % 2}, None),
        ({"t": TIMES, "II (mV)": II, "HR": [72] * ROWS, "symbol": ["N"] * ROWS, "off": [True] * ROWS}, None),
    ):
        write_parquet(path, columns)
        recording = ectopy.read(path)
        holds(recording, II)
        assert recording.start == expected_start
    assert recording.notes == ("Left out: 'HR' (not ECG), 'symbol' (labels or states), 'off' (labels or states).",)
    frame = pandas.DataFrame({"ECG (mV)": II}, index=pandas.DatetimeIndex(stamps))
    frame.to_parquet(path)
    assert ectopy.read(path).start == start
    write_parquet(path, {"0": II, "1": V1})
    assert ectopy.read(path, unit="mV", sampling_rate_hz=250).leads == ("lead 1", "lead 2")
    write_parquet(path, {"time": [f"{time}" for time in TIMES], "II": II})
    with pytest.raises(DataError, match="expected times"):
        ectopy.read(path, unit="mV")


def test_npy_with_times_counters_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "rec.npy"
    np.save(path, np.stack([TIMES, II, V1], axis=1))
    recording = ectopy.read(path, unit="mV")
    holds(recording, II, V1)
    assert recording.leads == ("lead 1", "lead 2")
    np.save(path, np.stack([np.arange(ROWS), II, np.arange(ROWS) % 50 == 0], axis=1))
    recording = ectopy.read(path, unit="mV", sampling_rate_hz=250)
    holds(recording, II)
    assert recording.notes == ("Left out: column 1 (a counter), column 3 (labels or states).",)
    np.save(path, UNIX + TIMES)
    with pytest.raises(DataError, match=r"holds no lead.*column 1 \(a time\)"):
        ectopy.read(path, unit="mV")


# Lines

SAME_FROM_THE_FIRST = ["1,2\n", "1;2\n", "1 2 3\n", "0,1\n", "0\n", "1\n", ",0\n", ",1\n"]
QUIET_AT_FIRST = [
    ("0\n", "1\n"),
    ("0,1\n", "2,1\n"),
    ("0\n", "0\n0.01\n-0.01\n"),
    ("0,1\n", "0,1\n0.5,1.5\n"),
    ("?,?\n", "2,3\n"),
    (",\n", "2,3\n"),
    ("-\n", "2\n"),
]


@pytest.mark.parametrize(("first", "later"), [*((row, row) for row in SAME_FROM_THE_FIRST), *QUIET_AT_FIRST])
def test_the_first_row_is_a_sample_where_it_names_nothing(tmp_path: Path, first: str, later: str) -> None:
    content = first + 30 * later
    rows = content.count("\n")
    leads = [f"L{place}" for place in range(len(re.split(r"[,; ]", first)))]
    assert len(lines_of(content)[1]) == rows
    assert len(lines_of(content, leads=leads)[1]) == rows
    assert len(read(tmp_path, content, unit="mV", sampling_rate_hz=250).signal) == rows


def test_missing_samples_below_a_header_leave_its_names(tmp_path: Path) -> None:
    for units in ("", "-,-\n", "mV,mV\n"):
        content = "II,V1\n" + units + "?,?\n" + table("", range(30), range(30, 60))
        recording = read(tmp_path, content, unit="mV", sampling_rate_hz=250)
        assert recording.leads == ("II", "V1")
        assert len(recording.signal) == 31


def lines_of(
    content: str, complaints: list[str] | None = None, leads: Sequence[str] = ()
) -> tuple[tuple[str, ...], np.ndarray]:
    reader = SampleLines(Stated(None, "mV"), leads, (complaints if complaints is not None else []).append)
    parts = [reader.take(content.encode()), reader.end()]
    return reader.leads, np.concatenate([part for part in parts if len(part)] or [np.empty((0, 1))])


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("header", ["", "timestamp{0}II{0}V1\n", "# device 7\ntime{0}II{0}V1\n"])
def test_lines_with_times(separator: str, header: str) -> None:
    content = header.format(separator) + table("", (4 * row for row in range(ROWS)), II, V1, separator=separator)
    leads, samples = lines_of(content)
    assert leads == (("II", "V1") if header else ("lead 1", "lead 2"))
    np.testing.assert_allclose(samples, np.stack([II, V1], axis=1), rtol=1e-5)


def test_lines_with_decimal_commas() -> None:
    for separator in (";", "\t"):
        _, samples = lines_of(table("", map(comma, TIMES), map(comma, II), separator=separator))
        np.testing.assert_allclose(samples[:, 0], II, rtol=1e-5)
    _, samples = lines_of("".join(f"{comma(value)}\n" for value in II))
    np.testing.assert_allclose(samples[:, 0], II, rtol=1e-5)
    with pytest.raises(DataError, match="standard input seems to write commas both in numbers"):
        lines_of(table("", map(comma, II), map(comma, V1)))


def test_lines_that_turn_out_to_have_decimal_commas() -> None:
    reader = SampleLines(Stated(None, "mV"), (), print)
    assert reader.take(b"12,345\n" * 25).shape == (25, 2)
    with pytest.raises(DataError, match=r"line 26 seems to write decimal commas, as in '11,045'.*decimal points"):
        reader.take(b"11,045\n")


def test_lines_wait_for_samples() -> None:
    complaints: list[str] = []
    reader = SampleLines(Stated(None, "mV"), (), complaints.append)
    assert not len(reader.take(b"# ready\n\xff\xff\nbooting, please wait\n" * 20))
    assert reader.leads == ()
    assert reader.take(b"0.5,0.25\n" * 30).shape == (30, 2)
    assert not complaints
    for content in (b"\xff\n", b"# a\n", b"text\n", b"two, words\n"):
        silent = SampleLines(Stated(None, "mV"), (), complaints.append)
        assert not len(silent.take(content * 199))
        with pytest.raises(DataError, match="begins with 200 lines without a sample"):
            silent.take(content)


def test_lines_say_what_they_leave_out() -> None:
    complaints: list[str] = []
    leads, samples = lines_of(table("sample,II,HR", range(ROWS), II, [72] * ROWS), complaints)
    assert leads == ("II",)
    assert complaints == ["standard input: left out: 'sample' (a counter), 'HR' (not ECG)."]
    assert samples.shape == (ROWS, 1)


def test_names_for_lines_with_times() -> None:
    content = table("", TIMES, II)
    leads, samples = lines_of(content, leads=("time", "II"))
    assert leads == ("II",)
    np.testing.assert_allclose(samples[:, 0], II, rtol=1e-5)
    with pytest.raises(DataError, match="line 1 has 2 columns, and --leads names 1"):
        lines_of(content, leads=("II",))


# Anything


@_MANY
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rec.csv"
    path.write_bytes(content)
    for stated in ({}, {"unit": "mV"}, {"unit": "mV", "sampling_rate_hz": 250.0}):
        with suppress(DataError):
            assert np.isfinite(ectopy.read(path, **stated).sampling_rate_hz)


CELLS = st.sampled_from(
    [
        *("", "0", "1", "-0", "0,5", "0.5", "1e308", "-1e308", "1e-320", "nan", "inf", "99999999999999999999"),
        *("II", "time", "s", "mV", "µV", "2024-01-01 10:00:00", "10:00:00.5", "x", "#", "12:", '"', "'", "{", "\x00"),
        *("Sample Rate", "250 Hz", "\r", "a\rb", "0001-01-01 00:00+23:59", "interval", "1e-320 ns"),
    ]
)


@_MANY
@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=12), st.sampled_from(",;\t :="))
def test_any_table_is_read_or_refused(tmp_path: Path, rows: list[list[str]], separator: str) -> None:
    content = "".join(f"{separator.join(row)}\n" for row in rows)
    (tmp_path / "rec.csv").write_text(content, encoding="utf-8")
    for stated in ({}, {"unit": "mV", "sampling_rate_hz": 250.0}):
        with suppress(DataError):
            recording = ectopy.read(tmp_path / "rec.csv", **stated)
            assert not np.isinf(recording.signal).any()
    with suppress(DataError):
        lines_of(content)


@_MANY
@given(st.lists(st.lists(st.floats(allow_nan=True), min_size=2, max_size=2), min_size=1, max_size=40))
def test_any_times_are_read_or_refused(tmp_path: Path, rows: list[list[float]]) -> None:
    path = tmp_path / "rec.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["time", "II"], *rows, *sorted(rows)])
    for stated in ({}, {"sampling_rate_hz": 250.0}):
        with suppress(DataError):
            ectopy.read(path, unit="mV", **stated)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le"])
def test_encodings_of_windows(tmp_path: Path, encoding: str):
    rows = "".join(f"{row / 250:.3f};{row % 50}\r\n".replace(".", ",") for row in range(100))
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    text = f"{mark}Gerät: Müller\r\nZeit [s];EKG [µV]\r\n{rows}"
    path = tmp_path / "ecg.csv"
    path.write_bytes(text.encode(encoding))
    recording = ectopy.read(path)
    assert (recording.sampling_rate_hz, recording.leads, recording.device) == (250, ("EKG",), "Müller")
    np.testing.assert_allclose(recording.signal[:, 0], np.arange(100) % 50 * 1e-3, atol=1e-7)
    path.write_bytes(text[:-5].encode(encoding))
    with pytest.raises(DataError, match="its last line has 1 of 2 columns"):
        ectopy.read(path)
    assert len(ectopy.read(path, partial=True).signal) == 99


def test_quoted_numbers_with_decimal_commas_between_commas(tmp_path: Path):
    rows = [f'"{row / 250:.3f}","{row % 50 - 25.5:.3f}"\n'.replace(".", ",") for row in range(100)]
    path = tmp_path / "ecg.csv"
    path.write_text(f'"Time (s)","II (uV)"\n{"".join(rows)}'.replace('"0,000"', '"0"'))
    recording = ectopy.read(path)
    assert recording.sampling_rate_hz == 250
    np.testing.assert_allclose(recording.signal[:, 0], (np.arange(100) % 50 - 25.5) * 1e-3, atol=1e-6)
    # Thousands, which would be read as units.
    path.write_text("Time (ms),II (uV)\n" + "".join(f'{4 * row},"{1000 + row:,}"\n' for row in range(100)))
    with pytest.raises(DataError, match="'1,000' is text where a number belongs"):
        ectopy.read(path)


def test_units_of_a_shimmer(tmp_path: Path):
    names = "\t".join(f"Shimmer_1_{name}_CAL" for name in ("Timestamp_Unix", "ECG_LL-RA_24BIT", "ECG_EMG_Status1"))
    rows = "".join(f"{1600000000000 + 4 * row}.000\t{row % 50 * 1e-2:.2f}\t128.0\t\n" for row in range(100))
    path = tmp_path / "ecg.csv"
    path.write_text(f'"sep=\t"\n{names}\t\nms\tmV\tno_units\t\n{rows}')
    recording = ectopy.read(path)
    assert recording.leads == ("Shimmer_1_ECG_LL-RA_24BIT_CAL",)
    assert recording.start == datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    np.testing.assert_allclose(recording.signal[:, 0], np.arange(100) % 50 * 1e-2, atol=1e-6)
    assert "'Shimmer_1_ECG_EMG_Status1_CAL' (in no_units)" in recording.notes[0]


def test_lines_above_describe_the_patient(tmp_path: Path):
    path = tmp_path / "ecg.csv"
    head = "Patient Name;Byron, Ada\nPatient ID;P-17\nSex;F\nDate of Birth;08.05.1953\nSampling Rate;250\n"
    path.write_text(head + "II\nmV\n" + "".join(f"{row % 50 / 100}\n" for row in range(100)))
    assert ectopy.read(path).patient == Patient("Byron, Ada", "P-17", "female", date(1953, 5, 8))
