"""What people look at: pages that stand alone, for a browser or a printer."""

from ectopy.report.pages import detection_report, evaluation_report, require_extra
from ectopy.report.recording import recording_report

__all__ = ["detection_report", "evaluation_report", "recording_report", "require_extra"]
