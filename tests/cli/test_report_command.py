"""The command `report`: a PDF named after the recording, a page on request, nothing of others overwritten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ectopy.datasets.simulated import simulate_recording
from support.command_line import assert_refused, assert_success

STATED = ("--rate", "250", "--unit", "mV")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "holter.npy"
    np.save(path, simulate_recording(15, leads=1, random_state=3, sampling_rate_hz=250.0).signal)
    return path


def test_the_report_is_a_pdf_here(ectopy, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    done = assert_success(ectopy("report", file, *STATED))
    assert "Wrote holter.pdf." in done.out
    assert (tmp_path / "holter.pdf").read_bytes().startswith(b"%PDF-")
    (tmp_path / "holter.pdf").write_bytes(b"a letter")
    assert_refused(ectopy("report", file, *STATED), "add --overwrite")


def test_a_page_in_german(ectopy, file: Path, tmp_path: Path):
    assert_success(
        ectopy("report", file, *STATED, "-o", tmp_path / "seite.html", "--language", "de", "--paper", "letter")
    )
    page = (tmp_path / "seite.html").read_text(encoding="utf-8")
    assert '<html lang="de">' in page
    assert "size: Letter" in page
    assert "Langzeit-EKG-Bericht" in page


def test_what_is_wrong_is_said_before_the_work(ectopy, file: Path, tmp_path: Path):
    for options, says in (
        (("-o", tmp_path / "x.docx"), ".pdf or .html"),
        (("--language", "fr"), "en or de"),
        (("--paper", "a5"), "a4 or letter"),
        (("--logo", file), "not a PNG or JPEG"),
    ):
        assert_refused(ectopy("report", file, *STATED, *options), says)


def test_a_page_of_beats_is_no_pdf(ectopy, tmp_path: Path):
    path = tmp_path / "page.pdf"
    for command in (("demo",), ("watch", "simulated", "--fast"), ("evaluate", "own.ectopy", "simulated")):
        assert_refused(ectopy(*command, "--report", path), "this report is a page")
    assert not path.exists()


def test_of_several_recordings_a_folder(ectopy, tmp_path: Path, file: Path):
    other = tmp_path / "night.npy"
    other.write_bytes(file.read_bytes())
    assert_refused(ectopy("report", file, other, *STATED, "-o", tmp_path / "both.pdf"), "goes into a folder")
