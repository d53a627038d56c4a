"""The whole way in a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ectopy.cli.detector_commands import evaluate_and_show, train_and_save
from ectopy.cli.options import Json, Overwrite, Report, check_report, refuse_options
from ectopy.cli.output_files import check_outputs

_USUAL_FOLDER = Path("ectopy-demo")


def demo(
    folder: Annotated[Path, typer.Option(help="Where the detector goes, and the report.")] = _USUAL_FOLDER,
    report: Report = None,
    json: Json = None,
    live: Annotated[
        bool, typer.Option("--live", help="Serve eight simulated patients instead, and look at them in a browser.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Train on normal beats, find the abnormal ones, show them: the whole way in a minute."""
    if live:
        of_training = {"--folder": folder != _USUAL_FOLDER, "--report": report is not None, "--json": json is not None}
        refuse_options(
            {**of_training, "--overwrite": overwrite}, "is for what --live does not do, training: leave it out"
        )
        from ectopy.service.demo import run_live_demo

        run_live_demo()
        return
    from ectopy import datasets
    from ectopy.cli.output import terminal
    from ectopy.errors import DatasetUnavailableError
    from ectopy.files import make_folder

    page, bundle = report or folder / "report.html", folder / "demo.ectopy"
    make_folder(folder)
    check_report(page)
    check_outputs([page, bundle, json], ["ecg5000"], overwrite)
    screen = terminal.screen(json)
    try:
        training, test = datasets.load_ecg5000("train"), datasets.load_ecg5000("test")
    except DatasetUnavailableError as error:
        screen.print(f"This runs on simulated beats: {error}")
        training, test = datasets.load_simulated("train"), datasets.load_simulated("test")
    detector = train_and_save(training, bundle, screen)
    evaluate_and_show(detector, test, json, page, screen)
    screen.print(terminal.verdict_table(detector.explain(test), rows=3))
    screen.print(f"The detector is {bundle}. Look at {page}.")
