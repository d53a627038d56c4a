"""`ectopy detect --corrections`: what is written is corrected, and can be read back."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.corrected_analysis import analysis_digest
from ectopy.analysis.corrections import AddBeat, BeatLabel, Corrections, DeleteBeats, Relabel
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets import simulate_recording
from ectopy.recording import Recording
from support.command_line import assert_refused, assert_success
from support.edf_files import edf

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return simulate_recording(90, ectopic={"V": 0.1}, random_state=5, sampling_rate_hz=200.0)


@pytest.fixture(scope="module")
def analysis(recording: Recording) -> Analysis:
    return analyse(recording, load_ambulatory())


@pytest.fixture(scope="module")
def file(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "patient.npy"
    np.save(path, recording.signal)
    return path


@pytest.fixture(scope="module")
def corrections(analysis: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two beats become supraventricular, one is deleted, and one added between two others."""
    positions = analysis.positions.tolist()
    made = Corrections(analysis_digest(analysis))
    for correction in (
        Relabel(tuple(positions[10:12]), BeatLabel.SUPRAVENTRICULAR),
        DeleteBeats((positions[20],)),
        AddBeat((positions[30] + positions[31]) // 2, BeatLabel.VENTRICULAR),
    ):
        made = made.followed_by(correction, "Dr Ada", AT)
    path = tmp_path_factory.mktemp("corrections") / "c.json"
    made.save(path)
    return path


def test_results_are_corrected_and_labels_of_each_format_can_be_read_back(
    ectopy, file: Path, analysis: Analysis, corrections: Path, tmp_path: Path
):
    detect = "detect", file, "--rate", "200", "--unit", "mV", "--corrections"
    assert_success(ectopy(*detect, corrections, "-o", tmp_path / "r.json", "--report", tmp_path / "r.html"))
    results = json.loads((tmp_path / "r.json").read_text())
    beats = results["beat_list"]
    assert [beat["symbol"] for beat in beats[10:12]] == ["S", "S"]
    assert beats[10]["reason"].startswith("Corrected to supraventricular by Dr Ada. ")
    assert analysis.positions[20] not in {beat["position"] for beat in beats}
    assert (beats[30]["symbol"], beats[30]["reason"]) == ("V", "Added as ventricular by Dr Ada.")
    assert results["corrections"]["entries"] == json.loads(corrections.read_text())["entries"]
    assert results["hints"]["supraventricular-like"] == sum(beat["symbol"] == "S" for beat in beats)
    assert_success(ectopy(*detect, tmp_path / "r.json", "-o", tmp_path / "r.atr"))
    assert_success(ectopy(*detect, tmp_path / "r.atr", "-o", tmp_path / "r.csv"))
    table = pd.read_csv(tmp_path / "r.csv", keep_default_na=False)
    assert table["symbol"].tolist() == [beat["symbol"] for beat in beats]
    assert table["position"].tolist() == [beat["position"] for beat in beats]
    assert table["reason"][30] == "Added as ventricular by r.atr."


def test_corrections_that_do_not_fit_are_refused_in_one_sentence(ectopy, file: Path, corrections: Path, tmp_path: Path):
    detect = "detect", file, "--rate", "200", "--unit", "mV", "--corrections"
    assert_refused(ectopy(*detect, tmp_path / "missing.json"), "cannot be read")
    Corrections("0" * 64).save(tmp_path / "old.json")
    assert_refused(ectopy(*detect, tmp_path / "old.json"), "superseded")
    other = shutil.copy(file, tmp_path / file.name)
    assert_refused(ectopy("detect", file, other, "--corrections", corrections), "belong to one recording")
    assert_refused(ectopy(*detect, corrections, "-o", corrections), "the command reads")


def test_the_examples_of_the_documentation_run(ectopy, recording: Recording, tmp_path: Path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs" / "corrections.md").read_text()
    monkeypatch.chdir(tmp_path)
    edf(Path("holter.edf"), [lead.astype(float) for lead in recording.signal.T], recording.leads, [b"mV"] * 2, rate=200)
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    exec(compile(code, "corrections.md", "exec"), {})
    assert "Corrected to supraventricular by Dr Ada. Score" in capsys.readouterr().out
    commands = re.findall(r"^    ectopy (detect .*)$", page, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert_success(ectopy(*command.split()))
    assert "Frequent supraventricular beats." in Path("holter.html").read_text()
    assert_success(ectopy("detect", "holter.edf", "--corrections", "holter.corrections.json", "-o", "holter.fhir.json"))
    report = json.loads(Path("holter.fhir.json").read_text())["entry"][0]["resource"]
    assert report["conclusion"].startswith("Frequent supraventricular beats. ")
    symbols = [beat["symbol"] for beat in json.loads(Path("holter.json").read_text())["beat_list"]]
    assert symbols.count("S") > 3
    assert pd.read_csv("holter.csv", keep_default_na=False)["symbol"].tolist() == symbols
