"""Pages for people, which stand alone, for a browser or a printer."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ectopy.report.beat_page import detection_report, evaluation_report
    from ectopy.report.page import require_extra
    from ectopy.report.recording_page import recording_report
    from ectopy.report.report_style import ReportStyle, check_report

# Imported when it is first used, so that the process of `page_layout` starts without the rooms below.
_HOME = {
    "ReportStyle": "report_style",
    "check_report": "report_style",
    "detection_report": "beat_page",
    "evaluation_report": "beat_page",
    "recording_report": "recording_page",
    "require_extra": "page",
}

__all__ = [
    "ReportStyle",
    "check_report",
    "detection_report",
    "evaluation_report",
    "recording_report",
    "require_extra",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"ectopy.report.{_HOME[name]}"), name)
    raise AttributeError(f"module 'ectopy.report' has no attribute '{name}'")
