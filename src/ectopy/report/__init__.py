"""Pages for people, which stand alone, for a browser or a printer."""

from ectopy.report.beat_page import detection_report, evaluation_report
from ectopy.report.page import require_extra
from ectopy.report.recording_page import recording_report
from ectopy.report.report_style import ReportStyle, check_report

__all__ = [
    "ReportStyle",
    "check_report",
    "detection_report",
    "evaluation_report",
    "recording_report",
    "require_extra",
]
