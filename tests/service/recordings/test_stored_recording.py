"""Names of the files in the folder of a recording."""

from __future__ import annotations

import pytest

from ectopy.report.report_style import ReportStyle
from ectopy.service.recordings.stored_recording import RESULT_NAMES, report_name, report_style


@pytest.mark.parametrize("kind", ["html", "pdf"])
@pytest.mark.parametrize("style", [ReportStyle(), ReportStyle("de", "letter")])
def test_the_name_of_a_report_says_how_it_looks(kind, style):
    assert report_style(report_name(kind, style)) == style
    assert report_style(RESULT_NAMES["csv"]) is None
