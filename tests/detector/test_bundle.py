from __future__ import annotations

import io
import json
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.beats import Beats
from ectopy.detector import Detector
from ectopy.detector.bundle import bundle_digest
from ectopy.detector.threshold import RecordingCalibration
from ectopy.errors import BundleError, DataError, OutputError
from support.examples import examples


def read_manifest(bundle: Path) -> dict:
    with zipfile.ZipFile(bundle) as archive:
        return json.loads(archive.read("manifest.json"))


def rewrite(bundle: Path, target: Path, members: dict[str, bytes], manifest: dict | None = None) -> Path:
    """A bundle with some members, or the whole manifest, replaced and every digest made to fit."""
    with zipfile.ZipFile(bundle) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content |= members
    manifest = manifest or read_manifest(bundle)
    manifest["members"] = {name: sha256(content[name]).hexdigest() for name in manifest["members"]}
    content["manifest.json"] = json.dumps(manifest).encode()
    content["manifest.sha256"] = sha256(content["manifest.json"]).hexdigest().encode()
    target.write_bytes(zip_of(content))
    return target


def zip_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_a_loaded_detector_is_the_saved_one(detector: Detector, bundle: Path, simulated: Beats):
    loaded = Detector.load(bundle)
    np.testing.assert_array_equal(loaded.score(simulated), detector.score(simulated))
    assert (loaded.threshold, loaded.rule, loaded.layout, loaded.card) == (
        detector.threshold,
        detector.rule,
        detector.layout,
        detector.card,
    )


def test_saving_a_loaded_detector_gives_the_same_bundle(bundle: Path, tmp_path: Path):
    second = tmp_path / "again.ectopy"
    Detector.load(bundle).save(second)
    assert bundle_digest(second) == bundle_digest(bundle)


def test_detection_needs_neither_tensorflow_nor_scikit_learn(bundle: Path):
    code = (
        "import sys; sys.modules.update(tensorflow=None, keras=None, sklearn=None);"
        "import ectopy; d = ectopy.Detector.load(sys.argv[1]); print(len(d.detect(d.golden)))"
    )
    completed = subprocess.run([sys.executable, "-c", code, str(bundle)], capture_output=True, text=True, check=True)
    assert int(completed.stdout) > 0
    assert completed.stderr == ""


@settings(max_examples=examples(25))
@given(st.floats(0, 1))
def test_a_truncated_bundle_is_refused(bundle: Path, tmp_path_factory: pytest.TempPathFactory, share: float):
    content = bundle.read_bytes()
    cut = tmp_path_factory.mktemp("cut") / "cut.ectopy"
    cut.write_bytes(content[: int(share * (len(content) - 1))])
    with pytest.raises(BundleError):
        Detector.load(cut)


@settings(max_examples=examples(40))
@given(st.data())
def test_a_changed_byte_is_found_or_changes_nothing(bundle: Path, tmp_path_factory: pytest.TempPathFactory, data):
    content = bytearray(bundle.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    changed = tmp_path_factory.mktemp("changed") / "changed.ectopy"
    changed.write_bytes(content)
    try:
        loaded = Detector.load(changed)
    except BundleError:
        return
    assert loaded.threshold == Detector.load(bundle).threshold


@pytest.mark.parametrize("content", [b"hello", zip_of({"readme.txt": b"hello"})], ids=["no zip", "foreign zip"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "other.ectopy").write_bytes(content)
    with pytest.raises(BundleError, match="not an Ectopy bundle"):
        Detector.load(tmp_path / "other.ectopy")


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="does not exist"):
        Detector.load(tmp_path / "none.ectopy")
    with pytest.raises(DataError, match="is a folder"):
        Detector.load(tmp_path)


def move_threshold(manifest: dict) -> None:
    manifest["threshold"] += 1


def double_members_of_scale(manifest: dict) -> None:
    manifest["scoring"]["error_scale"]["mean"] *= 2
    manifest["scoring"]["error_scale"]["std"] *= 2


def raise_format(manifest: dict) -> None:
    manifest["format_version"] = 99


@pytest.mark.parametrize(
    ("change", "words"),
    [(move_threshold, "threshold"), (double_members_of_scale, "scale"), (raise_format, "format 99")],
)
def test_a_manifest_that_does_not_fit_says_why(
    bundle: Path, tmp_path: Path, change: Callable[[dict], None], words: str
):
    manifest = read_manifest(bundle)
    change(manifest)
    changed = rewrite(bundle, tmp_path / "changed.ectopy", {}, manifest)
    with pytest.raises(BundleError, match=words):
        Detector.load(changed)


def test_a_graph_that_scores_otherwise_is_refused(bundle: Path, tmp_path: Path):
    with zipfile.ZipFile(bundle) as archive:
        graph = bytearray(archive.read("graph.tflite"))
    middle = len(graph) // 2
    graph[middle : middle + 64] = bytes(64)
    changed = rewrite(bundle, tmp_path / "changed.ectopy", {"graph.tflite": bytes(graph)})
    with pytest.raises(BundleError):
        Detector.load(changed)


def test_the_first_format_is_read_with_the_weight_that_it_had(tmp_path: Path, detector: Detector):
    weighted = replace(detector, scoring=replace(detector.scoring, distance_weight=0.75))
    weighted.save(tmp_path / "made.ectopy")
    manifest = read_manifest(tmp_path / "made.ectopy")
    manifest["format_version"] = 1
    del manifest["scoring"]["distance_weight"]
    first = rewrite(tmp_path / "made.ectopy", tmp_path / "first.ectopy", {}, manifest)
    np.testing.assert_array_equal(Detector.load(first).score(weighted.golden), weighted.score(weighted.golden))


def calibrated(detector: Detector) -> Detector:
    """A detector of beats with what one for recordings has beside it."""
    ascending, weights = np.linspace(0.0, 1.0, 1000), (np.ones((67, 9), np.float32), np.ones(9, np.float32))
    calibration = RecordingCalibration(*[ascending] * 6, weights, weights[::-1])
    return replace(detector, recordings=calibration)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_detector_for_recordings_of_an_earlier_format_is_rejected(tmp_path: Path, detector: Detector, version: int):
    calibrated(detector).save(tmp_path / "made.ectopy")
    old = with_format(tmp_path / "made.ectopy", tmp_path / "old.ectopy", version)
    with pytest.raises(BundleError, match="earlier version, without the networks of this one; leave it out"):
        Detector.load(old)


def test_a_detector_of_beats_of_the_second_format_is_read(bundle: Path, tmp_path: Path):
    second = with_format(bundle, tmp_path / "second.ectopy", 2)
    assert Detector.load(second).threshold == Detector.load(bundle).threshold


def test_what_recordings_need_is_stored(tmp_path: Path, detector: Detector):
    made = calibrated(detector)
    made.save(tmp_path / "made.ectopy")
    loaded = Detector.load(tmp_path / "made.ectopy")
    for actual, expected in zip(loaded.recordings.interval_weights, made.recordings.interval_weights, strict=True):
        np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(loaded.recordings.p_wave_quantiles, made.recordings.p_wave_quantiles)


def with_format(bundle: Path, target: Path, version: int) -> Path:
    return rewrite(bundle, target, {}, read_manifest(bundle) | {"format_version": version})


def test_pickles_are_never_loaded(bundle: Path, tmp_path: Path):
    class Exploit:
        def __reduce__(self):
            return (shutil.rmtree, (str(tmp_path / "victim"),))

    (tmp_path / "victim").mkdir()
    header = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
    header += b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    changed = rewrite(bundle, tmp_path / "evil.ectopy", {"golden.npy": header + pickle.dumps([Exploit()])})
    with pytest.raises(BundleError):
        Detector.load(changed)
    assert (tmp_path / "victim").exists()


def npy_of_zeros(count: int) -> bytes:
    """An array whose header and content agree, for an archive that packs it a thousandfold."""
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + bytes(8 * count)


def claims(shape: str, descr: str = "<f8") -> bytes:
    """An array whose header claims a shape that its content does not have."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def bombs(bundle: Path, folder: Path) -> dict[str, Path]:
    """Small bundles, with right digests, that would take a gigabyte or more."""
    large = npy_of_zeros(25 * 2**20)
    nested = zip_of({"with_baseline.npy": large, "without_baseline.npy": large})
    members = {
        "archive in the archive": {"recordings.npz": nested},
        "large array": {"golden.npy": large},
        "claimed shape": {"calibration.npy": claims("(400000000,)")},
        "items without size": {"expected.npy": claims("(4000000000,)", "|V0")},
        "manifest": {"manifest.json": b'{"members": {}, "x": [' + b"[]," * (10 * 2**20) + b"[]]}"},
    }
    paths = {}
    for name, changed in members.items():
        paths[name] = folder / f"{name}.ectopy"
        with zipfile.ZipFile(bundle) as archive:
            content = {member: archive.read(member) for member in archive.namelist()} | changed
        if name != "manifest":
            manifest = json.loads(content["manifest.json"])
            manifest["members"] = {
                member: sha256(data).hexdigest() for member, data in content.items() if "manifest" not in member
            }
            content["manifest.json"] = json.dumps(manifest).encode()
        content["manifest.sha256"] = sha256(content["manifest.json"]).hexdigest().encode()
        paths[name].write_bytes(zip_of(content))
    paths["directory"] = folder / "directory.ectopy"
    with zipfile.ZipFile(paths["directory"], "w") as archive:
        archive.writestr("member", b"")
        archive.filelist *= 300_000
    return paths


_PEAK = """
import re, sys
from pathlib import Path
from ectopy import Detector
from ectopy.analysis.patient_template import PatientTemplate
from ectopy.errors import EctopyError
Detector.load(sys.argv[1])
def peak_kb():
    # Unlike that of getrusage, not that of the process which started this one.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
for path in sys.argv[2:]:
    Path("/proc/self/clear_refs").write_text("5")  # restart the peak
    before = peak_kb()
    try:
        (PatientTemplate if path.endswith(".npz") else Detector).load(path)
        said = "read"
    except EctopyError as error:
        said = str(error)
    print(peak_kb() - before)
    print(said)
"""


def test_no_level_of_compression_takes_memory(bundle: Path, tmp_path: Path):
    files = bombs(bundle, tmp_path)
    files["baseline"] = tmp_path / "baseline.npz"
    files["baseline"].write_bytes(zip_of({"template.npy": npy_of_zeros(25 * 2**20)}))
    command = [sys.executable, "-c", _PEAK, str(bundle), *map(str, files.values())]
    outputs = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    for (name, path), peak, message in zip(files.items(), outputs[::2], outputs[1::2], strict=True):
        assert path.stat().st_size < 30 * 2**20, name
        assert message.startswith(str(path)), (name, message)
        assert int(peak) < 150 * 2**10, (name, peak)


def test_two_members_of_one_name_are_refused(bundle: Path, tmp_path: Path):
    doubled = tmp_path / "doubled.ectopy"
    doubled.write_bytes(bundle.read_bytes())
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(doubled, "a") as archive:
        archive.writestr("golden.npy", b"")
    with pytest.raises(BundleError, match="one name"):
        Detector.load(doubled)


@settings(max_examples=examples(30))
@given(st.text(max_size=200))
def test_what_a_bundle_says_is_shown_as_one_short_line(bundle: Path, tmp_path_factory: pytest.TempPathFactory, text):
    path = tmp_path_factory.mktemp("newer") / "newer.ectopy"
    rewrite(bundle, path, {}, read_manifest(bundle) | {"format_version": text})
    with pytest.raises(BundleError) as raised:
        Detector.load(path)
    message = str(raised.value).removeprefix(str(path))
    assert message.isprintable()
    assert len(message) < 300


def test_saving_where_nothing_can_be_written_leaves_nothing(detector: Detector, tmp_path: Path):
    with pytest.raises(OutputError, match="does not exist"):
        detector.save(tmp_path / "none" / "x.ectopy")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        detector.save(tmp_path / "file" / "x.ectopy")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
