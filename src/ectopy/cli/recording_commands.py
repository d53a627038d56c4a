"""The commands that inspect recordings and compare annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ectopy.cli.options import Json, Notch, Overwrite, Partial, Rate, Unit, refuse_options
from ectopy.cli.output_files import check_outputs


def inspect(
    recording: Annotated[
        Path, typer.Argument(help="A continuous ECG of any format: a file, a WFDB record, or an s3:// or https:// URL.")
    ],
    rate: Rate = None,
    unit: Unit = None,
    notch: Notch = None,
    partial: Partial = False,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Describe a recording: leads, length, heart rate, and which parts can be read."""
    from ectopy.analysis.inspection import inspect as inspect_recording
    from ectopy.cli.output import terminal
    from ectopy.cli.output.inspection import inspection_tables
    from ectopy.formats import read
    from ectopy.signal import FilterSettings

    check_outputs([json], [recording], overwrite)
    settings = FilterSettings(notch_hz=notch)
    inspection = inspect_recording(read(recording, sampling_rate_hz=rate, unit=unit, partial=partial), settings)
    terminal.emit(json, inspection.summary())
    screen = terminal.screen(json)
    for table in inspection_tables(inspection):
        screen.print(table)


def ec57(
    reference: Annotated[Path, typer.Argument(help="WFDB annotation file, record, or folder of them.")],
    test: Annotated[Path, typer.Argument(help="The same, with the annotations to judge.")],
    reference_ext: Annotated[str, typer.Option(metavar="NAME", help="Reference annotator.")] = "atr",
    test_ext: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Test annotator; TEST may be an annotation file instead.", show_default=False
        ),
    ] = None,
    label_map: Annotated[str, typer.Option(help="aami or de_chazal: which beats count as N, S, V, F, Q.")] = "aami",
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare annotations beat by beat as ANSI/AAMI EC57 says and WFDB's bxb and sumstats do."""
    from ectopy.cli.output import terminal
    from ectopy.cli.output.ec57 import comparison_table
    from ectopy.evaluation.ec57_files import compare_files

    if test.is_file():
        refuse_options(
            {"--test-ext": test_ext}, f"names annotations of records, and {test} is a file of them: leave it out"
        )
    files = (f"{reference}.{reference_ext}", f"{test}.{test_ext}")
    check_outputs([json], [reference, test, *files], overwrite)
    result = compare_files(reference, test, reference_ext, test_ext, label_map)
    terminal.emit(json, result.summary())
    screen = terminal.screen(json)
    screen.print(comparison_table(result))
    if result.left_out:
        screen.print(f"On one side only, and left out: {', '.join(result.left_out)}.")
