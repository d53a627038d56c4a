"""The report as a PDF: pages with their patient, true millimetres, and right for whatever is recorded."""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.corrected_analysis import analysis_digest
from ectopy.analysis.corrections import ChooseStrip, Corrections, RemoveStrip, WriteConclusion
from ectopy.analysis.rhythm_events import Event, find_events
from ectopy.datasets.simulated import simulate_recording
from ectopy.detector import Detector
from ectopy.disclaimers import STATEMENTS
from ectopy.errors import DataError, MissingExtraError, OutputError, SettingError
from ectopy.files import written_by_ectopy
from ectopy.recording import Patient, Recording
from ectopy.report import ReportStyle, check_report, recording_report
from ectopy.report.ecg_paper import PAGE_MM, leads_that_fit
from ectopy.report.language import load_language
from ectopy.report.pdf import render_pdf
from ectopy.report.recording_strips import choices
from ectopy.report.rhythm_trend import heart_rate
from support.html_page import assert_sound

MM = 72 / 25.4
PATIENT = Patient("Ødegård, Ida", "4711", "female", date(1953, 5, 8))


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Twenty seconds in one lead."""
    one = simulate_recording(20, leads=1, random_state=2)
    return replace(one, start=datetime(2024, 3, 1, 23, 59, 50), patient=PATIENT, device="Recorder 7")


@pytest.fixture(scope="module")
def analysis(recording: Recording, ambulatory: Detector) -> Analysis:
    return analyse(recording, ambulatory)


def pages(path: Path) -> list[str]:
    """Text of each page, its lines joined."""
    document = pypdfium2.PdfDocument(path)
    return [" ".join(page.get_textpage().get_text_bounded().split()) for page in document]


@pytest.fixture(scope="module")
def pdf(recording: Recording, analysis: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on American paper, in German."""
    path = tmp_path_factory.mktemp("report") / "report.pdf"
    recording_report(path, recording, analysis, [], style=ReportStyle("de", "letter"))
    return path


def test_every_page_says_whose_it_is_and_what_ectopy_is_not(pdf: Path):
    texts = pages(pdf)
    assert len(texts) > 1
    for number, text in enumerate(texts, start=1):
        assert "Ødegård, Ida · 4711 · geb. 08.05.1953" in text
        assert f"Seite {number} von {len(texts)}" in text
        assert all(load_language("de").text(statement) in text for statement in STATEMENTS)
    for title in ("Beurteilung", "Unterschrift", "Herzfrequenz", "Ventrikuläre Schläge", "Pausen", "Vorhofflimmern"):
        assert title in texts[0]
    assert "Recorder 7" in texts[0]
    assert "weiblich" in texts[0]
    assert written_by_ectopy(pdf)


def test_a_millivolt_is_ten_millimetres_and_a_second_twenty_five(pdf: Path):
    document = pypdfium2.PdfDocument(pdf)
    assert all(np.allclose(page.get_size(), (8.5 * 72, 11 * 72), atol=0.1) for page in document)
    strip = next(number for number, text in enumerate(pages(pdf)) if "Niedrigste Herzfrequenz" in text)
    drawn = [part for part in document[strip].get_objects() if part.type == pypdfium2.raw.FPDF_PAGEOBJ_PATH]
    boxes = np.array([part.get_bounds() for part in drawn]) / MM
    sizes = boxes[:, 2:] - boxes[:, :2]
    # The pulse is 1 mV high, 200 ms and two feet of 1 mm wide; around it is its line, 0.3 mm.
    assert (np.abs(sizes - (7.6, 10.6)) < 0.05).all(axis=1).any()
    # The paper of 7 s, with 10 mm for the pulse, lies inside of the margins.
    papers = boxes[np.abs(sizes[:, 0] - 185) < 0.005]
    assert len(papers)
    assert papers[:, 0].min() > 11.9
    assert papers[:, 2].max() < 8.5 * 25.4 - 11.9


def test_a_person_writes_the_conclusion_and_chooses_strips(tmp_path: Path, recording: Recording, analysis: Analysis):
    events = [Event("pause", 3.0, 5.5, 2, "")]
    rate = heart_rate(analysis, recording.duration_s)
    titles = [choice.title for choice in choices(recording, analysis, events, rate)]
    assert any("Pause" in title for title in titles)
    corrections = Corrections(analysis_digest(analysis))
    for correction in (
        RemoveStrip(0.75, 7.75),
        ChooseStrip(12.0, 16.0, "Look here <b>"),
        ChooseStrip(13.0, 23.0, "A run"),
        WriteConclusion("Nothing.\nSecond line <script>"),
    ):
        corrections = corrections.followed_by(correction, "Dr. <Who>", datetime(2024, 3, 2, 8, 0, tzinfo=UTC))
    shown = choices(recording, analysis, events, rate, corrections)
    assert (shown[0].title, shown[0].text) == ("Chosen strip · 2024-03-02 00:00:02", "Look here <b>")
    assert (shown[1].text, shown[1].end_s) == ("A run", 20.0)
    assert not any("Pause" in choice.title for choice in shown)
    recording_report(tmp_path / "page.html", recording, analysis, events, corrections=corrections)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<bdi>Nothing.\nSecond line &lt;script&gt;</bdi>" in page
    assert "4 corrections by Dr. &lt;Who&gt;, the last one at 2024-03-02 08:00:00 (UTC)." in page


def test_a_pdf_loads_nothing_from_outside(tmp_path: Path):
    (tmp_path / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")
    file = (tmp_path / "drawing.svg").as_uri()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        web = f"http://127.0.0.1:{server.getsockname()[1]}/"
        inner = f"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><image href='{web}'/></svg>"
        drawings = "".join(f'<img src="{url}"><embed src="{url}">' for url in (file, web, inner))
        links = f'<link rel="attachment" href="{file}"><link rel="stylesheet" href="{web}">'
        content = render_pdf(f"<html><head>{links}</head><body>{drawings}</body></html>", "")
        with pytest.raises(BlockingIOError):
            server.accept()
    assert b"EmbeddedFile" not in content


def test_a_text_that_looks_like_a_style_is_text(tmp_path: Path, recording: Recording, analysis: Analysis):
    conclusion, at = WriteConclusion("var(--ink) var(--colour)"), datetime(2024, 3, 2, tzinfo=UTC)
    corrections = Corrections(analysis_digest(analysis)).followed_by(conclusion, "Ada", at)
    named = replace(recording, patient=Patient("var(--name)"), leads=("var(--lead)",))
    path = tmp_path / "report.pdf"
    recording_report(path, named, analysis, [], corrections=corrections)
    assert "var(--ink) var(--colour)" in pages(path)[0]
    assert "var(--name)" in pages(path)[0]


def test_a_report_on_one_beat_and_long_names(tmp_path: Path, ambulatory: Detector):
    name = "شذى " + "<b>long</b> & longer " * 20
    signal = simulate_recording(1.2, leads=1, random_state=1).signal
    patient = Patient(name, "=1+1")
    recording = Recording(signal, 250.0, ("II",), patient=patient, notes=("A note " * 60, "<i>"))
    analysis = analyse(recording, ambulatory)
    path = tmp_path / "report.pdf"
    recording_report(path, recording, analysis, find_events(analysis))
    texts = pages(path)
    assert "<b>long</b> & longer" in texts[0]
    assert "start not stated" in texts[0]
    assert f"Page 1 of {len(texts)}" in texts[0]
    assert len(texts) <= 4


def test_the_first_strip_of_many_leads_stands_below_its_heading(tmp_path: Path, ambulatory: Detector):
    one = simulate_recording(12, leads=1, random_state=1)
    signal = np.repeat(one.signal, 12, axis=1)
    recording = Recording(signal, one.sampling_rate_hz, tuple(f"L{n}" for n in range(12)))
    analysis = analyse(recording, ambulatory)
    path = tmp_path / "report.pdf"
    recording_report(path, recording, analysis, [], style=ReportStyle("de", "letter"))
    page = next(text for text in pages(path) if "EKG-Streifen" in text)
    assert "0:00:02" in page.partition("EKG-Streifen")[2]


@pytest.mark.parametrize("samples", [0, 2500])
def test_a_report_on_twelve_leads_without_a_beat(tmp_path: Path, ambulatory: Detector, samples: int):
    recording = Recording(np.full((samples, 12), np.nan, np.float32), 250.0, tuple(f"L{n}" for n in range(12)))
    analysis = analyse(recording, ambulatory)
    recording_report(tmp_path / "page.html", recording, analysis, [], style=ReportStyle("de"))
    text = assert_sound((tmp_path / "page.html").read_text(encoding="utf-8"), "de").text
    assert "Der übliche Schlag des Patienten konnte nicht gelernt werden." in text
    assert "Es wurde kein Ereignis gefunden." in text


def test_of_many_leads_those_are_drawn_that_fit_a_page():
    low, high = np.zeros((12, 100)), np.full((12, 100), 3.5)
    assert leads_that_fit(low) == 12
    assert leads_that_fit(high) == (PAGE_MM - 14) // 40
    assert leads_that_fit(high, pulses=9) == 1


# What is missing or wrong is said before the work


def logo(path: Path, kind: str, size: tuple[int, int] = (30, 10)) -> Path:
    Image.new("RGB", size, "navy").save(path, kind)
    return path


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_logo_is_part_of_the_page(tmp_path: Path, recording: Recording, analysis: Analysis, kind: str):
    style = ReportStyle(logo=logo(tmp_path / "picture", kind))
    recording_report(tmp_path / "page.html", recording, analysis, [], style=style)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert f'src="data:image/{kind.lower()};base64,' in page
    assert "img-src data:" in page


def test_a_logo_that_is_none_is_refused(tmp_path: Path):
    (tmp_path / "vector.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "cut.png").write_bytes(logo(tmp_path / "whole.png", "PNG").read_bytes()[:50])
    whole = logo(tmp_path / "whole.jpg", "JPEG").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: whole.index(b"\xff\xda") + 14])  # its header is whole
    (tmp_path / "large.png").write_bytes(bytes(2**20 + 1))
    for name, says in (
        ("vector.svg", "not a PNG or JPEG"),
        ("cut.png", "damaged"),
        ("cut.jpg", "cut short"),
        ("large.png", "larger than 1 MiB"),
        ("none.png", "cannot be read"),
    ):
        with pytest.raises(DataError, match=says):
            check_report(tmp_path / "report.html", ReportStyle(logo=tmp_path / name))
    with pytest.raises(DataError, match="4 million"):
        check_report(tmp_path / "r.html", ReportStyle(logo=logo(tmp_path / "wide.png", "PNG", (4001, 1000))))


def test_what_cannot_be_written_is_refused(tmp_path: Path):
    with pytest.raises(SettingError, match="a4 or letter, not 'a5'"):
        ReportStyle(paper="a5")
    with pytest.raises(SettingError, match="not in 'xx'"):
        check_report(tmp_path / "report.pdf", ReportStyle("xx"))
    with pytest.raises(OutputError, match=r"\.pdf or \.html"):
        check_report(tmp_path / "report.docx")


@pytest.mark.parametrize(
    ("problem", "error", "says"),
    [
        ("raise ImportError('no')", MissingExtraError, "'report' extra"),
        ("raise OSError('cannot load library libpango')", OutputError, "apt install libpango"),
    ],
)
def test_a_missing_library_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: str, error: type[Exception], says: str
):
    (tmp_path / "weasyprint.py").write_text(problem)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    with pytest.raises(error, match=says):
        check_report(tmp_path / "report.pdf")
    assert check_report(tmp_path / "report.html")
