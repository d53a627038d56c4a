"""Data sets from their owners."""

from __future__ import annotations

import typer

from ectopy.cli.options import Json, Overwrite
from ectopy.cli.output_files import check_outputs

fetch_app = typer.Typer(no_args_is_help=True, help="Download a data set from its owner, verify it, keep it.")


@fetch_app.command("ecg5000")
def fetch_ecg5000_command(json: Json = None, overwrite: Overwrite = False) -> None:
    """ECG5000: 5,000 labelled heartbeats of one patient (Chen and Keogh; from PhysioNet's BIDMC CHF database)."""
    from ectopy import datasets
    from ectopy.cli.output import terminal

    check_outputs([json], ["ecg5000"], overwrite)
    folder = datasets.fetch_ecg5000()
    training, test = datasets.load_ecg5000("train"), datasets.load_ecg5000("test")
    terminal.emit(json, {"folder": str(folder), "training_beats": len(training), "test_beats": len(test)})
    terminal.screen(json).print(f"ECG5000 is verified and ready in {folder}: {len(training)} and {len(test)} beats.")


@fetch_app.command("mitdb")
def fetch_mitdb_command(json: Json = None, overwrite: Overwrite = False) -> None:
    """MIT-BIH Arrhythmia Database: 48 half hours with every beat annotated (Moody and Mark; from PhysioNet, ODC-BY)."""
    from ectopy import datasets
    from ectopy.cli.output import terminal
    from ectopy.datasets.mitdb import RECORDS

    check_outputs([json], ["mitdb"], overwrite)
    folder = datasets.fetch_mitdb()
    terminal.emit(json, {"folder": str(folder), "records": len(RECORDS)})
    terminal.screen(json).print(
        f"The MIT-BIH Arrhythmia Database is verified and ready in {folder}: {len(RECORDS)} records."
    )


@fetch_app.command("cinc2015")
def fetch_cinc2015_command(json: Json = None, overwrite: Overwrite = False) -> None:
    """Challenge 2015: 750 bedside alarms, true and false, with ECG and pulse waves (from PhysioNet, ODC-BY; 350 MB)."""
    from ectopy import datasets
    from ectopy.cli.output import terminal

    check_outputs([json], ["cinc2015"], overwrite)
    folder = datasets.fetch_challenge_2015()
    records = len(list(folder.glob("*.hea")))
    terminal.emit(json, {"folder": str(folder), "records": records})
    terminal.screen(json).print(
        f"The Challenge 2015 is ready in {folder}: {records} records, each with the checksum that PhysioNet states."
    )


@fetch_app.command("vfdb")
def fetch_vfdb_command(json: Json = None, overwrite: Overwrite = False) -> None:
    """MIT-BIH Malignant Ventricular Ectopy Database: 22 half hours, rhythms marked (from PhysioNet, ODC-BY)."""
    from ectopy import datasets
    from ectopy.cli.output import terminal

    check_outputs([json], ["vfdb"], overwrite)
    folder = datasets.fetch_vfdb()
    records = len(list(folder.glob("*.hea")))
    terminal.emit(json, {"folder": str(folder), "records": records})
    terminal.screen(json).print(
        f"VFDB is ready in {folder}: {records} records, each with the checksum that PhysioNet states."
    )
