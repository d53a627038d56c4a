"""The command that writes the report on a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ectopy.cli.options import (
    Baseline,
    CorrectionsFile,
    Language,
    Learning,
    Logo,
    Notch,
    Overwrite,
    Paper,
    Partial,
    Rate,
    Unit,
    check_learning,
)
from ectopy.cli.output_files import check_outputs


def report(
    context: typer.Context,
    recordings: Annotated[
        list[Path], typer.Argument(help="Recordings of any format, folders of them, s3:// or https://.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="REPORT",
            help="A .pdf or .html file, or a folder; by default here, named after the recording.",
            show_default=False,
        ),
    ] = None,
    language: Language = "en",
    paper: Paper = "a4",
    logo: Logo = None,
    rate: Rate = None,
    unit: Unit = None,
    notch: Notch = None,
    learning: Learning = 300.0,
    baseline: Baseline = None,
    partial: Partial = False,
    corrections: CorrectionsFile = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the report on a recording that a physician reads and signs: figures, hours, trend and strips."""
    from ectopy.report.page_layout import PDF_SUFFIX, layout_ahead

    if len(recordings) == 1 and (output is None or output.suffix.lower() == PDF_SUFFIX):
        context.with_resource(layout_ahead())

    from ectopy.analysis.shipped_detector import SHIPPED
    from ectopy.cli.batch import Job
    from ectopy.cli.detector_commands import detect_recordings
    from ectopy.formats.recording_files import find_recordings
    from ectopy.report import ReportStyle, require_extra
    from ectopy.report.report_style import usual_suffix
    from ectopy.signal import FilterSettings

    check_learning(learning, baseline)
    # What does not exist yet may become a folder, of several recordings; it is checked when that is known.
    outputs = [output] if output is not None and output.exists() and not output.is_dir() else []
    check_outputs(outputs, [baseline, corrections, logo, *recordings], overwrite)
    require_extra()
    paths = find_recordings(recordings)
    # Whether a PDF can be made takes a second to find out.
    suffix = usual_suffix() if output is None or output.is_dir() or len(paths) > 1 else output.suffix
    if output is None:
        output = Path() if len(paths) > 1 else Path(f"{paths[0].stem}{suffix}")
    job = Job(
        paths[0],
        SHIPPED,
        sampling_rate_hz=rate,
        unit=unit,
        filters=FilterSettings(notch_hz=notch),
        learning_s=learning,
        baseline=baseline,
        partial=partial,
        corrections=corrections,
        report_style=ReportStyle(language, paper, logo),
    )
    detect_recordings(job, paths, None, output, None, overwrite, suffix)
