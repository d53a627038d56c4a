"""Damaged inputs for every reader, the bundle and messages of devices: errors of the family, little memory, no hang.

Each damaged input is made from its number, so that a finding can be repeated:

    cd tests && python -m support.fuzzing --seconds 600 --seed 1
    cd tests && python -m support.fuzzing --seed 1 --kind wfdb212 --number 4711 --keep found/
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

import ectopy
from ectopy.analysis.shipped_detector import SHIPPED, load_detector
from ectopy.client import protocol
from ectopy.datasets import simulate_recording
from ectopy.detector import Detector
from ectopy.errors import EctopyError
from ectopy.formats import write_annotations
from ectopy.formats.leads import Stated
from ectopy.formats.sample_stream import SampleLines
from ectopy.monitor import Chunk
from ectopy.monitor.chunk_assembly import validated_samples
from ectopy.monitor.inputs import PulseChunk
from ectopy.monitor.pulse_stream import PulseStream, check_pulses, pulse_pieces, take_pulses
from ectopy.recording import Recording
from support import aecg_files, dicom_files, ishne_files, muse_files, scp_files, sierra_files

MOST_SECONDS = 15
MOST_MEMORY_MB = 300
_MOST_MESSAGE = 1500
_NUMBERS = (
    *(b"0", b"-1", b"1", b"2", b"-0", b"99999999999", b"2147483648", b"4294967296", b"18446744073709551616"),
    *(b"1e308", b"1e-320", b"0.0001", b"1,000", b"1,5", b"65536", b"1000000", b"nan", b"inf", b"", b" "),
    *(b"\x00", b"\xff", b"\xb5V", b"../../etc/passwd", b"/dev/zero", b"~", b"T", b"[]", b"null"),
)


class Subject(NamedTuple):
    """Sound files by name, the width of whose numbers is fixed or not, and what reads them from a folder."""

    files: dict[str, bytes]
    fixed_width: bool
    read: Callable[[Path, random.Random], object]


def subjects(folder: Path) -> dict[str, Subject]:
    """One sound input of each kind."""
    recording = simulate_recording(10, sampling_rate_hz=250.0)
    cases: dict[str, Subject] = {}
    for storage in ("16", "212", "80", "8", "24", "310", "516"):
        cases[f"wfdb{storage}"] = Subject(_record(folder, recording, storage), False, _read("r.hea"))
    cases["segments"] = Subject(_segments(folder, recording), False, _read("r.hea"))
    cases["pulse"] = Subject(_with_pulse(folder), False, _read("r.hea"))
    cases["edf"] = Subject({"r.edf": _edf(recording, bdf=False)}, True, _read("r.edf"))
    cases["bdf"] = Subject({"r.bdf": _edf(recording, bdf=True)}, True, _read("r.bdf"))
    rows = [f"{i / 250:.4f},{a:.4f},{b:.4f}" for i, (a, b) in enumerate(recording.signal[:800].tolist())]
    text = "\n".join(["time (s),II (mV),V1 (mV)", *rows]).encode()
    cases["csv"] = Subject({"r.csv": text}, False, _read("r.csv"))
    buffer = io.BytesIO()
    np.save(buffer, recording.signal)
    cases["npy"] = Subject({"r.npy": buffer.getvalue()}, False, _read("r.npy", sampling_rate_hz=250.0, unit="mV"))
    cases["parquet"] = Subject({"r.parquet": _parquet(recording)}, False, _read("r.parquet"))
    cases |= _recorders(folder)
    load_detector(SHIPPED).save(folder / "r.ectopy")
    bundle = (folder / "r.ectopy").read_bytes()
    cases["bundle"] = Subject({"r.ectopy": bundle}, False, lambda at, _: Detector.load(at / "r.ectopy"))
    chunk = Chunk(500, recording.signal[:125], 250.0, recording.leads, received=0.0, sent_at=1.0, stream="strap")
    pulses = (
        PulseChunk("PLETH", "NU", 125.0, 250, np.linspace(0, 1, 63, dtype=np.float32)),
        PulseChunk("ABP", "mmHg", 62.5, 125, np.full(31, 80, np.float32)),
    )
    for name, form, gain in (("json", "json", None), ("msgpack", "msgpack", None), ("counts", "msgpack", 1000.0)):
        message = protocol.write(protocol.ChunkMessage(chunk, 7), form, gain)
        cases[name] = Subject({"message": message}, False, _decode(form))
        message = protocol.write(protocol.ChunkMessage(replace(chunk, pulses=pulses), 7), form, gain)
        cases[f"{name} with pulses"] = Subject({"message": message}, False, _monitored(form))
    cases["lines"] = Subject({"lines": text}, False, _lines)
    return cases


def _recorders(folder: Path) -> dict[str, Subject]:
    """Files as recorders write them."""
    beats = b"\0\0\0\0" + b"N#\x10\0V#\x20\0" * 20
    ishne_file = ishne_files.ishne(folder / "r.ecg").read_bytes()
    marks = ishne_files.ishne(folder / "r.ann", magic=b"ANN  1.0", body=beats).read_bytes()
    slope = scp_files.coded(np.arange(100)[:, None], 2)
    bimodal = {
        2: scp_files.DEFAULT,
        3: scp_files.leads(1, samples=240, flags=0b101),
        4: scp_files.qrs([(0, 30, 50, 60), (1, 1, 150, 1)], [(41, 60), (141, 160)]),
        5: scp_files.rhythm(scp_files.coded(np.zeros((50, 1), int), 2)),
        6: scp_files.rhythm(slope, us=8000, bimodal=1, step_nv=500),
    }
    scp_file, bimodal_file = (
        scp_files.scp(folder / "r.scp", sections).read_bytes() for sections in (scp_files.SECTIONS, bimodal)
    )
    series = aecg_files.series(aecg_files.times(), *aecg_files.LEADS)
    documents = {
        "muse": muse_files.muse(folder / "r.xml").read_bytes(),
        "aecg": aecg_files.aecg(folder / "r.xml", series).read_bytes(),
        "sierra": sierra_files.sierra(folder / "r.xml", sierra_files.stored(sierra_files.COUNTS)).read_bytes(),
    }
    waveform = dicom_files.dicom(folder / "r.dcm", dicom_files.group(dicom_files.COUNTS, dicom_files.LEADS))
    return {
        "ishne": Subject({"r.ecg": ishne_file, "r.ann": marks}, False, _read("r.ecg")),
        "scp": Subject({"r.scp": scp_file}, False, _with_checksums("r.scp")),
        "scp bimodal": Subject({"r.scp": bimodal_file}, False, _with_checksums("r.scp")),
        **{name: Subject({"r.xml": content}, False, _read("r.xml")) for name, content in documents.items()},
        "dicom": Subject({"r.dcm": waveform.read_bytes()}, False, _read("r.dcm")),
    }


def _with_checksums(name: str) -> Callable[[Path, random.Random], Recording]:
    """Read a record of SCP-ECG, as a rule after its checksums were made right, so that its damage goes further."""

    def read(folder: Path, chance: random.Random) -> Recording:
        if chance.random() < 0.7:
            (folder / name).write_bytes(scp_files.with_checksums((folder / name).read_bytes()))
        return _read(name)(folder, chance)

    return read


def _read(name: str, **stated: object) -> Callable[[Path, random.Random], Recording]:
    return lambda folder, chance: ectopy.read(folder / name, partial=chance.random() < 0.3, **stated)


def _decode(form: protocol.Form) -> Callable[[Path, random.Random], object]:
    return lambda folder, _: protocol.read((folder / "message").read_bytes(), form, 0.0)


def _monitored(form: protocol.Form) -> Callable[[Path, random.Random], object]:
    """Read messages, and take their pulse waves as the monitor does."""

    def take(folder: Path, _: random.Random) -> object:
        stream = PulseStream()
        for message in protocol.read((folder / "message").read_bytes(), form, 0.0):
            validated_samples(message.chunk)
            check_pulses(message.chunk)
            stream, notices = take_pulses(stream, message.chunk)
            stream, pieces = pulse_pieces(stream, 2.0, 0.0)
        return stream, pieces, notices

    return take


def _lines(folder: Path, _: random.Random) -> object:
    lines = SampleLines(Stated(None, "mV"), [], lambda text: None)
    return lines.take((folder / "lines").read_bytes()), lines.end()


def _record(folder: Path, recording: Recording, storage: str) -> dict[str, bytes]:
    """A WFDB record of two leads with annotations."""
    gain = {"80": 50, "8": 20, "310": 200}.get(storage, 400)
    digital = np.rint(recording.signal * gain).astype(np.int64)
    lines = [
        f"r.dat {storage} {gain}(0)/mV 12 0 {first} {int(column.sum()) % 65536} 0 {lead}\n"
        for first, column, lead in zip(digital[0].tolist(), digital.T, recording.leads, strict=True)
    ]
    header = f"r {len(lines)} 250 {len(digital)} 12:30:00 01/02/2003\n{''.join(lines)}# age 30\n"
    write_annotations(folder / "r.atr", recording.annotations, 250)
    annotations = (folder / "r.atr").read_bytes()
    return {"r.hea": header.encode(), "r.dat": _stored(folder, digital, storage), "r.atr": annotations}


def _with_pulse(folder: Path) -> dict[str, bytes]:
    """A WFDB record of a lead and an arterial pressure."""
    files = _record(folder, simulate_recording(10, sampling_rate_hz=250.0), "16")
    lines = files["r.hea"].splitlines(keepends=True)
    lines[2] = re.sub(rb"/mV (.*) \S+\n", rb"/mmHg \1 ABP\n", lines[2])
    return files | {"r.hea": b"".join(lines)}


def _stored(folder: Path, digital: np.ndarray, storage: str) -> bytes:
    flat = digital.ravel()
    match storage:
        case "16":
            return flat.astype("<i2").tobytes()
        case "24":
            return flat.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
        case "80":
            return (flat + 128).astype(np.uint8).tobytes()
        case "8":
            return np.diff(digital, axis=0, prepend=digital[:1]).astype(np.int8).tobytes()
        case "212":
            first, second = flat.reshape(-1, 2).T & 0xFFF
            return (
                np.stack([first & 0xFF, first >> 8 | second >> 8 << 4, second & 0xFF], axis=1)
                .astype(np.uint8)
                .tobytes()
            )
        case "310":
            first, second, third = np.append(flat, [0] * (-len(flat) % 3)).reshape(-1, 3).T & 1023
            words = np.stack([first << 1 | (third & 31) << 11, second << 1 | third >> 5 << 11], axis=1)
            return words.astype("<u2").tobytes()
        case _:
            import soundfile

            soundfile.write(folder / "r.flac", digital.astype(np.int16), 96000, "PCM_16", format="FLAC")
            return (folder / "r.flac").read_bytes()


def _segments(folder: Path, recording: Recording) -> dict[str, bytes]:
    """A record of two segments with a gap, and of a variable layout."""
    files = _record(folder, recording, "16")
    frames = len(recording.signal)
    part = files["r.hea"].replace(b"r.dat", b"one.dat").replace(b"r 2", b"one 2", 1)
    layout = b"layout 2 250 0\n" + b"".join(b"~ 0 400/mV 12 0 0 0 0 %s\n" % lead.encode() for lead in recording.leads)
    whole = f"r/4 2 250 {2 * frames + 500}\nlayout 0\none {frames}\n~ 500\none {frames}\n"
    return {"r.hea": whole.encode(), "layout.hea": layout, "one.hea": part, "one.dat": files["r.dat"]}


def _edf(recording: Recording, *, bdf: bool) -> bytes:
    import edfio

    signal_type, file_type = (edfio.BdfSignal, edfio.Bdf) if bdf else (edfio.EdfSignal, edfio.Edf)
    signals = [
        signal_type(column.astype(float), 250, label=f"ECG {lead}", physical_dimension="mV", physical_range=(-10, 10))
        for column, lead in zip(recording.signal.T, recording.leads, strict=True)
    ]
    marks = [edfio.EdfAnnotation(onset, None, text) for onset, text in ((1.0, "N"), (2.5, "~ subtype -1"))]
    return file_type(signals, annotations=marks, data_record_duration=1).to_bytes()


def _parquet(recording: Recording) -> bytes:
    import pyarrow
    from pyarrow import parquet

    columns = {"time (s)": np.arange(len(recording.signal)) / 250}
    columns |= {f"{lead} (mV)": column for lead, column in zip(recording.leads, recording.signal.T, strict=True)}
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), buffer)
    return buffer.getvalue()


def damage(content: bytes, chance: random.Random, fixed_width: bool) -> bytes:
    """Change a file in one place or a few: bytes, bits, what is cut out, put in, repeated; and numbers in its text."""
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        if not damaged:
            break
        place = chance.randrange(min(len(damaged), 600) if chance.random() < 0.6 else len(damaged))
        match chance.randrange(9):
            case 0:
                damaged[place] = chance.randrange(256)
            case 1:
                damaged[place] ^= 1 << chance.randrange(8)
            case 2:
                del damaged[place : place + chance.choice((1, 2, 4, 16, 200))]
            case 3:
                damaged[place:place] = chance.randbytes(chance.choice((1, 2, 4, 32)))
            case 4:
                del damaged[place:]
            case 5:
                damaged[place:place] = damaged[place : place + chance.choice((4, 40, 400))]
            case _:
                numbers = list(re.finditer(rb"[-+]?\d+\.?\d*", bytes(damaged[:4000])))
                if numbers:
                    number = chance.choice(numbers)
                    width = number.end() - number.start()
                    new = chance.choice(_NUMBERS)
                    new = new[:width].ljust(width) if fixed_width else new
                    damaged[number.start() : number.end()] = new
    return bytes(damaged)


class _TookTooLongError(BaseException):
    """Not an Exception, so that no reader takes it for damage."""


def _end(*_: object) -> None:
    raise _TookTooLongError


def attempt(subject: Subject, kind: str, seed: int, number: int, folder: Path) -> str:
    """Damage the files of a subject and read them: "read", "refused", or what is wrong."""
    chance = random.Random(f"{seed} {kind} {number}")
    names = sorted(subject.files)
    target = chance.choice([names, [name for name in names if name.endswith(".hea")] or names][chance.random() < 0.5])
    for name, content in subject.files.items():
        changed = damage(content, chance, subject.fixed_width) if name == target else content
        (folder / name).write_bytes(changed)
    signal.alarm(MOST_SECONDS)
    try:
        result = subject.read(folder, chance)
        return _wrong(result) or "read"
    except EctopyError as error:
        message = str(error)
        odd = len(message) > _MOST_MESSAGE or "\x1b" in message or "\n" in message
        return f"odd message {message[:200]!r}" if odd else "refused"
    except _TookTooLongError:
        return f"took more than {MOST_SECONDS} s"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {str(error)[:100]}"
    finally:
        signal.alarm(0)


def _wrong(result: object) -> str:
    """What is wrong with a recording that was read."""
    if not isinstance(result, Recording):
        return ""
    if not np.isfinite(result.sampling_rate_hz) or np.isinf(result.signal).any():
        return "infinite values"
    if len(set(result.leads)) < len(result.leads):
        return "leads of one name"
    marks = result.annotations
    outside = (
        marks is not None and len(marks) and not 0 <= marks.positions[0] <= marks.positions[-1] < len(result.signal)
    )
    return "annotations outside of the recording" if outside else ""


def resident_mb() -> float:
    """Memory in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def highest_mb() -> float:
    """The most memory in use so far; unlike that of `getrusage`, not that of the process which started this one."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


def run(kinds: list[str], seed: int, seconds: float | None, numbers: range, keep: Path | None) -> dict[str, object]:
    """Try damaged inputs of all kinds in turn, until the time is over or the numbers are used up."""
    signal.signal(signal.SIGALRM, _end)
    outcomes: dict[str, dict[str, int]] = {}
    findings: list[str] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        cases = subjects(folder)
        kinds = kinds or list(cases)
        for kind in kinds:
            for file, content in cases[kind].files.items():
                (folder / file).write_bytes(content)
            cases[kind].read(folder, random.Random(1))
            outcomes[kind] = {"read": 0, "refused": 0}
        start_mb = peak_mb = resident_mb()
        began = time.monotonic()
        for number in numbers:
            if seconds is not None and time.monotonic() - began > seconds:
                break
            for kind in kinds:
                if kind == "bundle" and number % 20:
                    continue  # one takes as long as a hundred others
                before_mb = highest_mb()
                outcome = attempt(cases[kind], kind, seed, number, folder)
                after_mb = highest_mb()
                peak_mb = max(peak_mb, after_mb)
                if after_mb > max(before_mb, start_mb + MOST_MEMORY_MB):
                    outcome = f"took {after_mb - start_mb:.0f} MB"
                if outcome in outcomes[kind]:
                    outcomes[kind][outcome] += 1
                    continue
                findings.append(f"{kind} {number}: {outcome}")
                print(findings[-1], file=sys.stderr, flush=True)
                if keep is not None:
                    for file in cases[kind].files:
                        keep.mkdir(parents=True, exist_ok=True)
                        (keep / f"{kind}-{number}-{file}").write_bytes((folder / file).read_bytes())
    return {"outcomes": outcomes, "findings": findings, "start_mb": round(start_mb), "peak_mb": round(peak_mb)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--count", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", default=[])
    parser.add_argument("--number", type=int)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    numbers = range(options.count) if options.number is None else range(options.number, options.number + 1)
    warnings.simplefilter("error")
    print(json.dumps(run(options.kind, options.seed, options.seconds, numbers, options.keep), indent=1))


if __name__ == "__main__":
    main()
