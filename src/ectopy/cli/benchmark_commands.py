"""Measure Ectopy, and what people use instead."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ectopy.cli.detector_commands import train_and_save
from ectopy.cli.options import Json, Overwrite
from ectopy.cli.output_files import check_outputs, database_files
from ectopy.errors import SettingError

benchmark_app = typer.Typer(no_args_is_help=True, help="Measure Ectopy, and what people use instead.")


@benchmark_app.command("ecg5000")
def benchmark_ecg5000(
    protocol: Annotated[str, typer.Option(help="official, tutorial or resplit.")] = "official",
    seeds: Annotated[int, typer.Option(help="How many trials.")] = 3,
    methods: Annotated[
        str,
        typer.Option(help="Some of ectopy, tutorial, pca, knn, ocsvm, iforest; separated by commas."),
    ] = "ectopy,tutorial,pca,knn,ocsvm,iforest",
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Ours and the peers on the same beats in the same run; no method sees a label."""
    from ectopy import datasets
    from ectopy.benchmarks.ecg5000_benchmark import benchmark
    from ectopy.cli.output import terminal

    check_outputs([json], ["ecg5000"], overwrite)
    screen = terminal.screen(json)
    beats = datasets.load_ecg5000("all")
    with terminal.progress("benchmark") as progress:
        result = benchmark(beats, protocol, seeds, methods.split(","), progress)
    terminal.emit(json, result)
    screen.print(terminal.benchmark_table(result))


@benchmark_app.command("heartbeats")
def benchmark_heartbeats_command(
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of MIT-BIH records: .hea, .dat and .atr.", show_default=False)
    ],
    split: Annotated[str, typer.Option(help="ds1, ds2, or all in the folder that are not paced.")] = "all",
    methods: Annotated[
        str,
        typer.Option(
            help="Some of ectopy, ectopy_first_lead, sleepecg, neurokit2, wfdb_xqrs; separated by commas.",
        ),
    ] = "ectopy,ectopy_first_lead,sleepecg,neurokit2,wfdb_xqrs",
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Ours and the peers find the heartbeats of the same records in the same run; compared as EC57 says."""
    from ectopy.benchmarks.heartbeat_benchmark import benchmark_heartbeats
    from ectopy.cli.output import terminal
    from ectopy.cli.output.heartbeats import heartbeats_table, missing_line

    check_outputs([json], [data], overwrite)
    screen = terminal.screen(json)
    with terminal.progress("benchmark") as progress:
        result = benchmark_heartbeats(data, split, methods.split(","), progress)
    terminal.emit(json, result.summary())
    screen.print(heartbeats_table(result))
    if result.left_out:
        screen.print(missing_line(result.left_out))


@benchmark_app.command("mitdb")
def benchmark_mitdb_command(
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of MIT-BIH records: .hea, .dat and .atr.", show_default=False)
    ],
    split: Annotated[str, typer.Option(help="ds1 = record by record cross-validation, ds2 = the shipped one.")] = "ds1",
    peers: Annotated[
        str, typer.Option(help="Some of population, knn, pca; separated by commas; '' = none.")
    ] = "population,knn,pca",
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """From recordings to verdicts: ours and the peers on the same beats of the same records in the same run."""
    from ectopy.benchmarks.mitdb_benchmark import benchmark_mitdb
    from ectopy.cli.output import terminal
    from ectopy.cli.output.mitdb import gaps_lines, methods_table, records_table

    check_outputs([json], [data], overwrite)
    screen = terminal.screen(json)
    with terminal.progress("benchmark") as progress:
        result = benchmark_mitdb(data, split, [name for name in peers.split(",") if name], progress)
    terminal.emit(json, result.summary())
    screen.print(records_table(result))
    screen.print(methods_table(result))
    for line in gaps_lines(result):
        screen.print(line)


@benchmark_app.command("alarms")
def benchmark_alarms_command(
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of MIT-BIH records: .hea, .dat and .atr.", show_default=False)
    ],
    split: Annotated[str, typer.Option(help="ds1 or ds2.")] = "ds1",
    profile: Annotated[str, typer.Option(help="Limits: ward, ambulatory, exercise, child or infant.")] = "ward",
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Replay annotated records to the monitor: how many alarms, which are right, what was missed, how late."""
    from ectopy.benchmarks.alarm_benchmark import benchmark_alarms
    from ectopy.cli.output import terminal
    from ectopy.cli.output.alarm_benchmark import alarms_table, conditions_table, summary_lines

    check_outputs([json], [data], overwrite)
    screen = terminal.screen(json)
    with terminal.progress("benchmark") as progress:
        result = benchmark_alarms(data, split, profile, progress)
    figures = result.summary()
    terminal.emit(json, figures)
    screen.print(alarms_table(figures))
    screen.print(conditions_table(figures))
    for line in summary_lines(figures):
        screen.print(line)


@benchmark_app.command("fibrillation")
def benchmark_fibrillation_command(
    data: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Holds the folders vfdb, mitdb, qtdb, cinc2017 and cinc2015.", show_default=False
        ),
    ],
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit what tells fibrillation from the waveform, with records and whole databases left out."""
    from ectopy.benchmarks.fibrillation_benchmark import benchmark_fibrillation
    from ectopy.cli.output import terminal
    from ectopy.cli.output.fibrillation import fibrillation_table, weights_table

    check_outputs([json], [data], overwrite)
    screen = terminal.screen(json)
    with terminal.progress("benchmark") as progress:
        figures = benchmark_fibrillation(data, progress)
    terminal.emit(json, figures)
    screen.print(fibrillation_table(figures))
    screen.print(weights_table(figures))


@benchmark_app.command("icu")
def benchmark_icu_command(
    data: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder of the Challenge 2015: ALARMS, .hea and .mat.", show_default=False),
    ],
    without_pulse: Annotated[bool, typer.Option("--without-pulse", help="Leave the pulse waves out.")] = False,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Bedside alarms, true and false: which ones the monitor raises too (PhysioNet/CinC Challenge 2015)."""
    from ectopy.benchmarks.icu_benchmark import benchmark_icu
    from ectopy.cli.output import terminal
    from ectopy.cli.output.icu import answer_lines, kinds_table

    check_outputs([json], [data, data / "cinc2015", data / "training"], overwrite)
    screen = terminal.screen(json)
    with terminal.progress("benchmark") as progress:
        figures = benchmark_icu(data, not without_pulse, progress).summary()
    terminal.emit(json, figures)
    screen.print(kinds_table(figures))
    for line in answer_lines(figures):
        screen.print(line)


@benchmark_app.command("ventricular")
def benchmark_ventricular_command(
    data: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder of records with marks of rhythm: .hea, .dat and .atr.", show_default=False
        ),
    ],
    from_start: Annotated[
        bool,
        typer.Option(
            "--from-start", help="Watch each episode as a new patient: from its first sample, and from 60 s before."
        ),
    ] = False,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Fibrillation, flutter, ventricular tachycardia, asystole: announced or missed, how late, and what is false."""
    from ectopy.benchmarks.ventricular_benchmark import LEAD_IN_S, benchmark_from_start, benchmark_ventricular
    from ectopy.cli.output import terminal
    from ectopy.cli.output.ventricular import episodes_table, false_lines, false_table, outcome_lines

    check_outputs([json], [data, data / "vfdb"], overwrite)
    screen = terminal.screen(json)
    with terminal.progress("benchmark") as progress:
        if from_start:
            figures = benchmark_from_start(data, 0.0, progress).summary()
            earlier = benchmark_from_start(data, LEAD_IN_S, progress).summary()
            figures["from_60_s_before"] = earlier
            parts = {"watched from their first sample": figures, "watched from 60 s before": earlier}
        else:
            figures = benchmark_ventricular(data, progress).summary()
            parts = {"in whole records": figures}
    terminal.emit(json, figures)
    for title, part in parts.items():
        screen.print(episodes_table(part, f"Episodes {title}, {len(part['records'])} records"))
        for line in outcome_lines(part):
            screen.print(line)
    if not from_start:
        screen.print(false_table(figures))
        for line in false_lines(figures):
            screen.print(line)


@benchmark_app.command("holter")
def benchmark_holter_command(
    hours: Annotated[float, typer.Option(help="Length of the recording, at most 168.")] = 24.0,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Time and memory for a long recording of one lead, on one thread."""
    from ectopy.benchmarks.holter_benchmark import benchmark_holter
    from ectopy.cli.output import terminal
    from ectopy.cli.output.mitdb import holter_table

    check_outputs([json], [], overwrite)
    screen = terminal.screen(json)
    with terminal.progress("benchmark") as progress:
        figures = benchmark_holter(hours, progress)
    terminal.emit(json, figures)
    screen.print(holter_table(figures))


@benchmark_app.command("monitor")
def benchmark_monitor_command(
    patients: Annotated[str, typer.Option(help="How many at once; several numbers, separated by commas.")] = "500",
    seconds: Annotated[float, typer.Option(help="Length of each run, 5 to 3600.")] = 60.0,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Database to write into; by default an SQLite file, deleted after.", show_default=False
        ),
    ] = None,
    learning: Annotated[bool, typer.Option("--learning", help="Have the patients' normals learned, too.")] = False,
    growth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Measure 10 to 1,000 patients, and plot: .svg .png .pdf", show_default=False),
    ] = None,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Watch simulated patients in real time with the storage on: processor time, delay and memory."""
    from dataclasses import asdict

    from ectopy.benchmarks.capacity_plot import check_growth_plot, growth_plot
    from ectopy.benchmarks.monitor_benchmark import GROWTH, benchmark_monitor
    from ectopy.cli.output import terminal
    from ectopy.cli.output.monitor import cost_table

    check_outputs([json, growth], database_files(store), overwrite)
    if growth:
        check_growth_plot(growth)
    counts = GROWTH if growth else _counts(patients)
    screen = terminal.screen(json)
    with terminal.progress("benchmark") as progress:
        costs = benchmark_monitor(counts, seconds, store, learning, progress)
    figures = [asdict(cost) for cost in costs]
    terminal.emit(json, figures[0] if len(figures) == 1 else {"growth": figures})
    screen.print(cost_table(costs))
    if growth:
        growth_plot(growth, figures)
        screen.print(f"Wrote {growth}.")


def _counts(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise SettingError(f"'{text}' is not a number of patients, nor a list of them separated by commas.") from error


@benchmark_app.command("service")
def benchmark_service_command(
    devices: Annotated[int, typer.Option(help="That stream, 1 to 1000.")] = 200,
    viewers: Annotated[int, typer.Option(help="That look, 1 to 100; one of them never reads.")] = 20,
    seconds: Annotated[float, typer.Option(help="Length of the run, 5 to 3600.")] = 60.0,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Start a service, let devices stream and viewers look: what is lost, how late it is seen, memory."""
    from dataclasses import asdict

    from ectopy.benchmarks.service_benchmark import benchmark_service
    from ectopy.cli.output import terminal
    from ectopy.cli.output.load import load_table

    check_outputs([json], [], overwrite)
    with terminal.progress("benchmark") as progress:
        load = benchmark_service(devices, viewers, seconds, progress)
    terminal.emit(json, asdict(load))
    terminal.screen(json).print(load_table(load))


@benchmark_app.command("speed")
def benchmark_speed(
    bundle: Annotated[
        Path | None,
        typer.Option(help="The detector to time; a default one is trained otherwise.", show_default=False),
    ] = None,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Time and memory of detection, on one thread."""
    from tempfile import TemporaryDirectory

    from ectopy import datasets
    from ectopy.benchmarks.speed_benchmark import measure_speed
    from ectopy.cli.output import terminal

    check_outputs([json], [bundle], overwrite)
    screen = terminal.screen(json)
    with TemporaryDirectory() as folder:
        if bundle is None:
            bundle = Path(folder) / "default.ectopy"
            train_and_save(datasets.load_simulated("train"), bundle, screen)
        figures = measure_speed(bundle)
    terminal.emit(json, figures)
    screen.print(terminal.speed_table(figures))
