"""Data sets from their owners."""

from __future__ import annotations

from pathlib import Path

import typer

from ectopy.cli.options import Json, Overwrite
from ectopy.cli.output_files import check_outputs

fetch_app = typer.Typer(no_args_is_help=True, help="Download a data set from its owner, verify it, keep it.")


@fetch_app.command("ecg5000")
def fetch_ecg5000_command(json: Json = None, overwrite: Overwrite = False) -> None:
    """ECG5000: 5,000 labelled heartbeats of one patient (Chen and Keogh; from PhysioNet's BIDMC CHF database)."""
    from ectopy import datasets

    check_outputs([json], ["ecg5000"], overwrite)
    folder = datasets.fetch_ecg5000()
    training, test = len(datasets.load_ecg5000("train")), len(datasets.load_ecg5000("test"))
    counts = {"training_beats": training, "test_beats": test}
    _show(json, folder, counts, f"ECG5000 is verified and ready in {folder}: {training} and {test} beats.")


@fetch_app.command("mitdb")
def fetch_mitdb_command(json: Json = None, overwrite: Overwrite = False) -> None:
    """MIT-BIH Arrhythmia Database: 48 half hours with every beat annotated (Moody and Mark; from PhysioNet, ODC-BY)."""
    from ectopy import datasets
    from ectopy.datasets.mitdb import RECORDS

    check_outputs([json], ["mitdb"], overwrite)
    folder, records = datasets.fetch_mitdb(), len(RECORDS)
    text = f"The MIT-BIH Arrhythmia Database is verified and ready in {folder}: {records} records."
    _show(json, folder, {"records": records}, text)


@fetch_app.command("cinc2015")
def fetch_cinc2015_command(json: Json = None, overwrite: Overwrite = False) -> None:
    """Challenge 2015: 750 bedside alarms, true and false, with ECG and pulse waves (from PhysioNet, ODC-BY; 350 MB)."""
    from ectopy import datasets

    check_outputs([json], ["cinc2015"], overwrite)
    _show_records(json, "The Challenge 2015", datasets.fetch_challenge_2015())


@fetch_app.command("vfdb")
def fetch_vfdb_command(json: Json = None, overwrite: Overwrite = False) -> None:
    """MIT-BIH Malignant Ventricular Ectopy Database: 22 half hours, rhythms marked (from PhysioNet, ODC-BY)."""
    from ectopy import datasets

    check_outputs([json], ["vfdb"], overwrite)
    _show_records(json, "VFDB", datasets.fetch_vfdb())


@fetch_app.command("qtdb")
def fetch_qtdb_command(json: Json = None, overwrite: Overwrite = False) -> None:
    """QT Database: 105 quarters of an hour, 82 with beats labelled, waves marked (from PhysioNet, ODC-BY; 87 MB)."""
    from ectopy import datasets

    check_outputs([json], ["qtdb"], overwrite)
    _show_records(json, "The QT Database", datasets.fetch_qtdb())


@fetch_app.command("ludb")
def fetch_ludb_command(json: Json = None, overwrite: Overwrite = False) -> None:
    """Lobachevsky University Database: 200 people, 10 s of 12 leads, every wave marked (from PhysioNet, ODC-BY)."""
    from ectopy import datasets

    check_outputs([json], ["ludb"], overwrite)
    _show_records(json, "LUDB", datasets.fetch_ludb())


@fetch_app.command("cinc2017")
def fetch_cinc2017_command(json: Json = None, overwrite: Overwrite = False) -> None:
    """Challenge 2017: 8,528 half minutes of one lead, normal, fibrillation, other (from PhysioNet, ODC-BY; 95 MB)."""
    from ectopy import datasets

    check_outputs([json], ["cinc2017"], overwrite)
    _show_records(json, "The Challenge 2017", datasets.fetch_challenge_2017(), "from the archive")


@fetch_app.command("ltafdb")
def fetch_ltafdb_command(json: Json = None, overwrite: Overwrite = False) -> None:
    """Long-Term AF Database: beats and rhythms of 84 days, without the signals (from PhysioNet, ODC-BY; 18 MB)."""
    from ectopy import datasets

    check_outputs([json], ["ltafdb"], overwrite)
    _show_records(json, "LTAFDB, without its signals,", datasets.fetch_ltafdb())


def _show_records(json: str | None, name: str, folder: Path, origin: str = "each") -> None:
    records = len(list(folder.glob("*.hea")))
    text = f"{name} is ready in {folder}: {records} records, {origin} with the checksum that PhysioNet states."
    _show(json, folder, {"records": records}, text)


def _show(json: str | None, folder: Path, counts: dict[str, int], text: str) -> None:
    from ectopy.cli.output import terminal

    terminal.emit(json, {"folder": str(folder), **counts})
    terminal.screen(json).print(text)
