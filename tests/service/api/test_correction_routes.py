"""Corrections of a recording over HTTP, on a real server: who may, what is refused, and that nothing is lost."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from ectopy.analysis.corrected_analysis import apply_corrections
from ectopy.analysis.corrections import BeatLabel, Corrections, Relabel
from ectopy.analysis.holter_figures import holter_figures
from ectopy.analysis.minute_waves import measure_minutes
from ectopy.analysis.wave_findings import find_all_events
from ectopy.service.access import Scope
from ectopy.service.recordings.stored_corrections import load_corrections
from ectopy.service.recordings.stored_recording import RESULT_NAMES
from ectopy.service.recordings.worker import write_document
from support.server import Service, running
from support.uploads import RATE_HZ, csv
from support.waiting import until

DURATION_S = 60


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("home")) as service:
        yield service


@pytest.fixture(scope="module")
def http(service: Service) -> Iterator[httpx.Client]:
    with service.client() as http:
        yield http


@pytest.fixture(scope="module")
def recording(http: httpx.Client) -> str:
    """The address of an analysed recording, which the tests of this module correct."""
    parts = [("files", ("day.csv", csv(DURATION_S, ectopic={"V": 0.1}, random_state=4)))]
    stated = {"sampling_rate_hz": str(RATE_HZ), "unit": "mV"}
    path = f"/api/recordings/{http.post('/api/recordings', files=parts, data=stated).json()['id']}"
    until(lambda: http.get(path).json()["status"] == "done")
    return path


def seen(http: httpx.Client, recording: str) -> dict[str, Any]:
    """The newest version, as a correction has to state it."""
    shown = http.get(recording).json()
    return {"analysis": shown["analysis"], "version": shown["version"]}


def correct(http: httpx.Client, recording: str, **correction: Any) -> httpx.Response:
    body = {**seen(http, recording), "correction": correction}
    # `httpx` itself writes no NaN.
    headers = {"Content-Type": "application/json"}
    return http.post(f"{recording}/corrections", content=json.dumps(body), headers=headers)


def beats(http: httpx.Client, recording: str, **query: Any) -> list[dict[str, Any]]:
    return http.get(f"{recording}/beats", params=query).json()


def folder_of(service: Service, recording: str) -> Path:
    return service.app.state.settings.home / "recordings" / recording.rpartition("/")[2]


def test_a_family_is_relabelled_and_everything_follows(service: Service, http: httpx.Client, recording: str):
    before = seen(http, recording)
    families = http.get(f"{recording}/families").json()["families"]
    number = next(family["family"] for family in families if family["hint"] == "ventricular-like")
    of_family = http.get(f"{recording}/families/{number}/beats").json()
    answer = correct(http, recording, type="relabel", family=number, label="supraventricular")
    assert answer.status_code == 201
    made = answer.json()
    assert (made["analysis"], made["version"]) == (before["analysis"], before["version"] + 1)
    entry = made["entry"]
    assert (entry["type"], entry["label"], entry["beats"]) == ("relabel", "supraventricular", of_family["total"])
    assert entry["start_s"] == pytest.approx(of_family["times_s"][0], abs=0.01)

    rows = {beat["position"]: beat for beat in beats(http, recording)}
    corrected = {rows[position]["hint"] for position in of_family["positions"]}
    assert corrected == {"supraventricular-like"}
    assert "Corrected to supraventricular" in rows[of_family["positions"][0]]["reason"]
    summary = http.get(recording).json()["summary"]
    assert summary["hints"]["supraventricular-like"] >= of_family["total"]

    assert http.post(f"{recording}/corrections/undo", json=seen(http, recording)).status_code == 201
    log = http.get(f"{recording}/corrections").json()
    assert [entry["undone"] for entry in log["entries"][-2:]] == [True, False]
    assert log["entries"][-1]["type"] == "undo"
    assert {beat["hint"] for beat in beats(http, recording) if beat["position"] in of_family["positions"]} == {
        "ventricular-like"
    }
    audited = [(entry["what"], entry["detail"]) for entry in http.get("/api/audit").json()]
    assert any(
        what == "corrected recording" and detail.endswith(f"relabel {of_family['total']} beats as supraventricular")
        for what, detail in audited
    )


def test_the_service_and_python_find_the_same(service: Service, http: httpx.Client, recording: str):
    rows = beats(http, recording)
    first, second, third = (rows[place]["position"] for place in (20, 21, 30))
    for correction in (
        {"type": "relabel", "positions": [first, second], "label": "ventricular"},
        {"type": "delete_beats", "positions": [third]},
        {"type": "add_beat", "position": third + 20, "label": "normal"},
        {"type": "relabel", "start_s": 40, "end_s": 44, "label": "ventricular"},
        {"type": "mark_noise", "start_s": 50, "end_s": 53.5},
    ):
        assert correct(http, recording, **correction).status_code == 201, correction
    result = service.app.state.library.result(recording.rpartition("/")[2])
    log = load_corrections(folder_of(service, recording), result.version.analysis)
    analysis = apply_corrections(result.analysed, log, RATE_HZ)
    minutes = measure_minutes(result.recording, analysis)
    events = find_all_events(analysis, minutes)
    answered = http.get(f"{recording}/events").json()
    assert answered["version"] == len(log.entries)
    assert [(event["kind"], event["start_s"], event["text"]) for event in answered["events"]] == [
        (event.kind, event.start_s, event.text) for event in events
    ]
    figures = http.get(f"{recording}/figures").json()["figures"]
    assert figures == holter_figures(result.recording, analysis, events, minutes).summary()
    assert [beat["position"] for beat in beats(http, recording)] == analysis.positions.tolist()
    assert [beat["hint"] for beat in beats(http, recording)] == analysis.hint.tolist()
    assert any(event["kind"] == "ventricular run" for event in answered["events"])


def test_of_two_editors_one_wins_and_the_other_makes_it_again(service: Service, http: httpx.Client, recording: str):
    row = beats(http, recording)[5]
    body = {
        **seen(http, recording),
        "correction": {"type": "relabel", "positions": [row["position"]], "label": "other"},
    }
    keys = [service.new_key(Scope.CORRECT, Scope.VIEW) for _ in range(2)]
    barrier = threading.Barrier(2)

    def post(key: str) -> httpx.Response:
        with service.client(key) as editor:
            barrier.wait()
            return editor.post(f"{recording}/corrections", json=body)

    with ThreadPoolExecutor() as pool:
        won, lost = sorted(pool.map(post, keys), key=lambda answer: answer.status_code)
    assert (won.status_code, lost.status_code) == (201, 409)
    told = lost.json()
    assert told["version"] == won.json()["version"] == body["version"] + 1
    assert told["newer"] == [won.json()["entry"]]
    assert "newer corrections, by correct view" in told["detail"]
    again = {**body, "version": told["version"]}
    assert http.post(f"{recording}/corrections", json=again).json()["version"] == body["version"] + 2
    assert len(http.get(f"{recording}/corrections").json()["entries"]) == body["version"] + 2


def test_the_correction_of_another_editor_is_undone_only_where_they_are_named(
    service: Service, http: httpx.Client, recording: str
):
    path = f"{recording}/corrections/undo"
    with service.client(service.new_key(Scope.CORRECT, Scope.VIEW)) as other:
        for client, text in ((http, "First."), (other, "Second."), (http, "Third.")):
            assert correct(client, recording, type="write_conclusion", text=text).status_code == 201
        assert http.post(path, json=seen(http, recording)).status_code == 201
        now = seen(http, recording)
        refused = http.post(path, json=now)
        assert refused.status_code == 409
        assert "the last correction is by correct view" in refused.json()["detail"]
        entry = refused.json()["entry"]
        assert (entry["by"], entry["text"], entry["number"]) == ("correct view", "Second.", now["version"] - 2)
        assert http.post(path, json={**now, "author": "somebody"}).json() == refused.json()
        assert seen(http, recording) == now
        assert http.post(path, json={**now, "author": "correct view"}).status_code == 201
        assert other.post(path, json=seen(http, recording)).json()["entry"]["by"] == "first key"
    assert http.get(f"{recording}/corrections").json()["conclusion"] == "First."


def test_other_editors_are_told(service: Service, http: httpx.Client, recording: str):
    with service.client(service.new_key(Scope.VIEW)) as viewer, viewer.stream("GET", f"{recording}/changes") as stream:
        lines = (line for line in stream.iter_lines() if line)
        assert next(lines) == "event: current"
        version = json.loads(next(lines).removeprefix("data: "))
        assert version == seen(http, recording)
        assert correct(http, recording, type="write_conclusion", text="Nothing new.").status_code == 201
        assert next(lines) == "event: corrected"
        told = json.loads(next(lines).removeprefix("data: "))
        assert told == {**version, "version": version["version"] + 1, "by": "first key"}


@pytest.mark.parametrize(
    ("correction", "status", "words"),
    [
        ({"type": "relabel", "family": 900, "label": "normal"}, 404, "there is no family 900"),
        ({"type": "relabel", "positions": [1], "label": "normal"}, 422, "there is no beat at sample 1"),
        ({"type": "relabel", "positions": [], "label": "normal"}, 422, "at least 1"),
        ({"type": "relabel", "positions": list(range(10_001)), "label": "normal"}, 422, "at most 10000"),
        ({"type": "relabel", "positions": [-1], "label": "normal"}, 422, "greater than or equal to 0"),
        ({"type": "relabel", "positions": [1.5], "label": "normal"}, 422, "integer"),
        ({"type": "relabel", "label": "normal"}, 422, "name the beats by"),
        ({"type": "relabel", "family": 1, "start_s": 1, "end_s": 2, "label": "normal"}, 422, "name the beats by"),
        ({"type": "relabel", "start_s": 1, "label": "normal"}, 422, "name the beats by"),
        ({"type": "relabel", "start_s": 0, "end_s": 1e-3, "label": "normal"}, 422, "there is no beat from 0 to 0.001"),
        ({"type": "relabel", "family": 1, "label": "wrong"}, 422, "'ventricular'"),
        ({"type": "mark_noise", "start_s": float("nan"), "end_s": 2}, 422, "finite"),
        ({"type": "mark_noise", "start_s": 0, "end_s": float("inf")}, 422, "finite"),
        ({"type": "mark_noise", "start_s": 3, "end_s": 2}, 422, "from 0 s or later to a later one"),
        ({"type": "add_beat", "position": 10**9, "label": "normal"}, 422, "after the end of the recording"),
        ({"type": "choose_strip", "start_s": 0, "end_s": 8, "caption": "x" * 301}, 422, "at most 300"),
        ({"type": "choose_strip", "start_s": 0, "end_s": 8, "caption": "\x1b[2J"}, 422, "cannot be printed"),
        ({"type": "write_conclusion", "text": "x" * 20_001}, 422, "at most 20000"),
        ({"type": "undo"}, 422, "'relabel'"),
        ({"type": "delete_beats", "family": 1, "other": 2}, 422, "Extra inputs"),
    ],
)
def test_a_bad_correction_gets_one_sentence(
    http: httpx.Client, recording: str, correction: dict[str, Any], status: int, words: str
):
    before = seen(http, recording)
    answer = correct(http, recording, **correction)
    detail = answer.json()["detail"]
    assert (answer.status_code, words in detail) == (status, True), detail
    assert "\n" not in detail
    assert seen(http, recording) == before


def test_an_older_analysis_is_refused_and_its_corrections_are_kept(
    service: Service, http: httpx.Client, recording: str
):
    """The file of an earlier analysis, as a re-analysis with another detector leaves it."""
    now = seen(http, recording)
    stored = folder_of(service, recording) / "corrections" / f"{now['analysis']}.json"
    assert correct(http, recording, type="write_conclusion", text="Kept.").status_code == 201
    earlier = "0" * 64
    stored.with_name(f"{earlier}.json").write_text(stored.read_text().replace(now["analysis"], earlier))
    old = {"analysis": earlier, "version": 1, "correction": {"type": "relabel", "family": 1, "label": "other"}}
    answer = http.post(f"{recording}/corrections", json=old)
    assert (answer.status_code, "analysed again" in answer.json()["detail"]) == (409, True)
    log = http.get(f"{recording}/corrections").json()
    assert [superseded["analysis"] for superseded in log["superseded"]] == [earlier]
    assert "analysed again" in log["superseded"][0]["reason"]
    assert log["superseded"][0]["entries"][-1]["text"] == "Kept."


def test_a_stream_of_changes_ends_after_another_analysis(
    http: httpx.Client, recording: str, monkeypatch: pytest.MonkeyPatch
):
    """Whoever follows it connects again and is told of the new analysis; until then the result can be read."""
    monkeypatch.setattr("ectopy.service.api.routes.correction_routes._QUIET_S", 0.1)
    with http.stream("GET", f"{recording}/changes") as stream:
        lines = (line for line in stream.iter_lines() if line)
        assert next(lines) == "event: current"
        before = seen(http, recording)
        assert http.post(f"{recording}/analyse").json()["status"] == "waiting"
        assert http.get(f"{recording}/families").json()["families"]
        assert list(lines)[-1].startswith(":")
    assert http.get(recording).json()["status"] == "done"
    assert seen(http, recording) == before


def test_damaged_corrections_of_an_earlier_analysis_are_in_nobodys_way(
    service: Service, http: httpx.Client, recording: str
):
    assert correct(http, recording, type="write_conclusion", text="Newest.").status_code == 201
    damaged = folder_of(service, recording) / "corrections" / f"{'1' * 64}.json"
    damaged.write_text("{")
    answer = http.get(f"{recording}/corrections")
    assert (answer.status_code, answer.json()["conclusion"]) == (200, "Newest.")
    damaged.unlink()


def test_results_are_of_the_corrected_recording(service: Service, http: httpx.Client, recording: str, tmp_path: Path):
    row = beats(http, recording)[8]
    correction = {"type": "relabel", "positions": [row["position"]], "label": "ventricular"}
    version = correct(http, recording, **correction).json()["version"]
    bundle = http.get(f"{recording}/results", params={"format": "fhir"})
    assert bundle.headers["content-type"] == "application/fhir+json"
    assert bundle.json()["resourceType"] == "Bundle"
    log = http.get(f"{recording}/results", params={"format": "corrections"})
    table = http.get(f"{recording}/results", params={"format": "csv"})
    # As they lie beside day.csv, which none of them may replace.
    for answer, name in ((bundle, "day.fhir.json"), (log, "day.corrections.json"), (table, "day.csv.csv")):
        assert f'filename="{name}"' in answer.headers["content-disposition"]
    (tmp_path / "log.json").write_bytes(log.content)
    assert Corrections.load(tmp_path / "log.json").entries[-1].correction == Relabel(
        (row["position"],), BeatLabel.VENTRICULAR
    )
    # The other kinds as the process of a document writes them, before and after.
    for kind in RESULT_NAMES:
        before, after = (tmp_path / f"{name}.{kind}" for name in ("before", "after"))
        write_document(folder_of(service, recording), before, version - 1)
        write_document(folder_of(service, recording), after, version)
        assert before.read_bytes() != after.read_bytes()
    (line,) = [
        line for line in (tmp_path / "after.csv").read_text().splitlines() if line.startswith(f"8,{row['position']},")
    ]
    assert "ABNORMAL,ventricular-like" in line
    assert json.loads((tmp_path / "after.json").read_text())["corrections"]


def test_the_report_is_of_the_corrected_recording(http: httpx.Client, recording: str):
    start_s = beats(http, recording)[12]["time_s"]
    correction = {"type": "relabel", "start_s": start_s, "end_s": start_s + 8, "label": "ventricular"}
    assert correct(http, recording, **correction).status_code == 201
    run = next(
        event for event in http.get(f"{recording}/events").json()["events"] if event["kind"] == "ventricular run"
    )
    for text in ("<img src=x onerror=alert(1)>", "Runs; <b>see</b> strip."):
        assert correct(http, recording, type="write_conclusion", text=text).status_code == 201
    strip = {"start_s": start_s, "end_s": start_s + 8, "caption": "<script>alert(2)</script>"}
    assert correct(http, recording, type="choose_strip", **strip).status_code == 201
    page = http.get(f"{recording}/report")
    assert page.status_code == 200
    assert f"{run['beats']} beats, {run['rate_bpm']:.0f} /min" in page.text
    assert "Runs; &lt;b&gt;see&lt;/b&gt; strip." in page.text
    assert "&lt;script&gt;alert(2)" in page.text
    assert not re.search("<script|<img src=x|<b>see", page.text)
    pdf = http.get(f"{recording}/report", params={"format": "pdf", "language": "de", "paper": "letter"})
    assert pdf.status_code == 200
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")


ROUTES = [
    ("GET", "corrections", Scope.VIEW),
    ("GET", "changes", Scope.VIEW),
    ("GET", "results?format=csv", Scope.VIEW),
    ("POST", "corrections", Scope.CORRECT),
    ("POST", "corrections/undo", Scope.CORRECT),
]


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_every_route_needs_its_scope(service: Service, method: str, path: str, scope: Scope):
    body = {"json": {"analysis": "0", "version": 0}} if method == "POST" else {}
    with service.client(service.new_key(Scope.UPLOAD)) as http:
        assert http.request(method, f"/api/recordings/0/{path}", **body).status_code == 403
    with service.client(service.new_key(scope)) as http:
        assert http.request(method, f"/api/recordings/0/{path}", **body).status_code in (404, 422)
