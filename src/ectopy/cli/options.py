"""What commands have in common: arguments, options, and what is checked before long work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    str,
    typer.Argument(help="'ecg5000', 'simulated', or a file of beats: .txt .ts .arff .tsv .csv .npy .parquet"),
]
Bundle = Annotated[
    str, typer.Argument(help="A detector: a file made by 'ectopy train'; 'ambulatory' = the shipped one.")
]
Split = Annotated[
    str | None,
    typer.Option(help="Part of a named data set: train, test or all; by default what suits.", show_default=False),
]
Json = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write the figures as JSON; '-' = standard output.",
        show_default=False,
    ),
]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write an HTML page to look at.", show_default=False),
]
Partial = Annotated[
    bool,
    typer.Option("--partial", help="Read the intact part of an EDF, BDF or WFDB file that is not whole."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that Ectopy did not write, too.")]
TargetFpr = Annotated[
    float | None,
    typer.Option(help="Take the threshold anew, for this share of normal beats flagged.", show_default=False),
]


def check_report(report: Path | None) -> None:
    """Raise before long work when a page is asked for and could not be drawn."""
    if report:
        from ectopy.report import require_extra

        require_extra()
