"""Arguments and options that commands share, and checks before long work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ectopy.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

Data = Annotated[
    str,
    typer.Argument(
        help="'ecg5000', 'simulated', to train also 'ambulatory', "
        "or a file of beats: .txt .ts .arff .tsv .csv .npy .parquet"
    ),
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
        "--json", metavar="FILE", help="Write the figures as JSON; '-' = standard output.", show_default=False
    ),
]
Report = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write an HTML page to look at.", show_default=False)
]
Rate = Annotated[
    float | None, typer.Option(metavar="HZ", help="Sampling rate, where a file does not state it.", show_default=False)
]
Unit = Annotated[str | None, typer.Option(help="mV, uV or V, where a file does not state it.", show_default=False)]
Notch = Annotated[
    float | None,
    typer.Option(
        metavar="HZ", help="Frequency to remove, from 10 to 60; that of the mains is 50 or 60.", show_default=False
    ),
]
Baseline = Annotated[Path | None, typer.Option(help="A patient's normal, saved earlier.", show_default=False)]
SaveBaseline = Annotated[Path | None, typer.Option(help="Where to save this patient's normal.", show_default=False)]
CorrectionsFile = Annotated[
    Path | None,
    typer.Option(
        "--corrections",
        metavar="FILE",
        help="Correct the analysis: a file of corrections, or labels as .atr, .ann, EDF+, .csv or .json.",
        show_default=False,
    ),
]
Learning = Annotated[float, typer.Option(help="Seconds from which a patient's normal is learned.")]
KafkaConfig = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="How to sign in to Kafka: lines such as security.protocol=SASL_SSL.", show_default=False
    ),
]
Partial = Annotated[
    bool, typer.Option("--partial", help="Read the intact part of an EDF, BDF or WFDB file that is not whole.")
]
Language = Annotated[str, typer.Option(help="Language of the report: en or de.")]
Paper = Annotated[str, typer.Option(help="Paper of the report: a4 or letter.")]
Logo = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A PNG or JPEG picture for its head.", show_default=False)
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that Ectopy did not write, too.")]
TargetFpr = Annotated[
    float | None, typer.Option(help="Set the threshold for this share of normal beats flagged.", show_default=False)
]


def check_report(report: Path | None) -> None:
    """Raise before long work when a page is requested that could not be drawn, or a PDF, which it cannot be."""
    if report:
        from ectopy.report.page import check_page

        check_page(report)


def refuse_options(options: Mapping[str, object], reason: str) -> None:
    """Raise SettingError if an option is set that would mean nothing: its name and the reason are the message.

    An option, by name, is not set if its value is None, False or empty.
    """
    surplus = [name for name, value in options.items() if value]
    if surplus:
        raise SettingError(f"{surplus[0]} {reason}.")


def check_learning(learning_s: float, baseline: Path | None) -> None:
    """Raise SettingError where a time of learning is set and nothing is to be learned."""
    from ectopy.analysis.patient_template import LEARNING_S

    if baseline is not None and learning_s != LEARNING_S:
        raise SettingError(
            "--learning is for a normal that is learned, and --baseline gives one: leave one of them out."
        )
