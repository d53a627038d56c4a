"""A page is laid out by another process as by this one, and by this one where the other cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ectopy.errors import MissingExtraError
from ectopy.report import page_layout
from ectopy.report.page_layout import lay_out, layout_ahead, require_layout

PAGE = "<html lang='en'><body><p>Ødegård</p><svg width='9' height='9'><path d='M0 0L9 9'/></svg></body></html>"


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Those that are started to lay out a page, in their order, as on two cores."""
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            if page_layout.__name__ in self.args:
                started.append(self)

    monkeypatch.setattr(page_layout, "has_spare_core", lambda: True)
    monkeypatch.setattr(page_layout.subprocess, "Popen", Noted)
    return started


def test_another_process_lays_out_the_same(processes: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch):
    here = lay_out(PAGE)
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with layout_ahead():
        require_layout()
        assert lay_out(PAGE) == here
        assert [process.returncode for process in processes] == [0]


def test_a_process_that_has_no_page_to_lay_out_ends(processes: list[subprocess.Popen[bytes]]):
    with layout_ahead():
        assert processes[0].poll() is None
    assert processes[0].returncode is not None


def test_a_process_ends_with_the_one_that_started_it(processes: list[subprocess.Popen[bytes]]):
    with layout_ahead():
        require_layout()
        assert processes[0].stdin is not None
        processes[0].stdin.close()
        assert processes[0].wait(60) == 0


@pytest.mark.parametrize("trouble", ["one core", "no program", "ends at once", "ends half-way"])
def test_this_process_lays_out_what_the_other_cannot(
    trouble: str, processes: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    match trouble:
        case "one core":
            monkeypatch.setattr(page_layout, "has_spare_core", lambda: False)
        case "no program":
            monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
        case "ends at once":
            monkeypatch.setattr(sys, "executable", "/bin/false")
    with layout_ahead():
        require_layout()
        if trouble == "ends half-way":
            processes[0].kill()
        assert lay_out(PAGE).startswith(b"%PDF")
    assert all(process.returncode for process in processes)


def test_what_is_missing_in_both_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with layout_ahead(), pytest.raises(MissingExtraError, match="'report' extra"):
        require_layout()
