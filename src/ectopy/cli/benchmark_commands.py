"""The benchmark commands: Ectopy and alternatives to it, measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ectopy.cli.detector_commands import train_and_save
from ectopy.cli.options import Json, KafkaConfig, Overwrite, refuse_options
from ectopy.cli.output_files import check_outputs, database_files
from ectopy.errors import SettingError

if TYPE_CHECKING:
    from rich.table import Table

    from ectopy.arguments import Progress

benchmark_app = typer.Typer(no_args_is_help=True, help="Measure Ectopy, and what people use instead.")

_USUAL_PATIENTS = "500"

MitdbFolder = Annotated[
    Path,
    typer.Option("--data", metavar="DIR", help="Folder of MIT-BIH records, all of the split: .hea, .dat and .atr."),
]


def _run(
    measure: Callable[[Progress], Mapping[str, Any]],
    renderables: Callable[[Mapping[str, Any]], Iterable[Table | str]],
    json: str | None,
    overwrite: bool,
    inputs: Iterable[Path | str | None] = (),
) -> Mapping[str, Any]:
    """Measure with a progress bar, write the figures as JSON where that was asked for, and print tables of them."""
    from ectopy.cli.output import terminal

    check_outputs([json], inputs, overwrite)
    with terminal.progress("benchmark") as progress:
        figures = measure(progress)
    terminal.emit(json, figures)
    screen = terminal.screen(json)
    for renderable in renderables(figures):
        screen.print(renderable)
    return figures


@benchmark_app.command("ecg5000")
def benchmark_ecg5000(
    protocol: Annotated[str, typer.Option(help="official, tutorial or resplit.")] = "official",
    seeds: Annotated[int, typer.Option(help="How many trials.")] = 3,
    methods: Annotated[
        str, typer.Option(help="Some of ectopy, tutorial, pca, knn, ocsvm, iforest; separated by commas.")
    ] = "ectopy,tutorial,pca,knn,ocsvm,iforest",
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Ours and the peers on the same beats in the same run; no method sees a label."""
    from ectopy import datasets
    from ectopy.benchmarks.ecg5000_benchmark import benchmark
    from ectopy.benchmarks.protocols import check_protocol
    from ectopy.cli.output import ecg5000

    check_protocol(protocol, seeds)

    def measure(progress: Progress) -> Mapping[str, Any]:
        return benchmark(datasets.load_ecg5000("all"), protocol, seeds, methods.split(","), progress)

    _run(measure, ecg5000.renderables, json, overwrite, ["ecg5000"])


@benchmark_app.command("heartbeats")
def benchmark_heartbeats_command(
    data: MitdbFolder,
    split: Annotated[
        str, typer.Option(help="ds1, ds2, or all in the folder that are not paced; or another database: qtdb, ludb.")
    ] = "all",
    methods: Annotated[
        str,
        typer.Option(help="Some of ectopy, ectopy_first_lead, sleepecg, neurokit2, wfdb_xqrs; separated by commas."),
    ] = "ectopy,ectopy_first_lead,sleepecg,neurokit2,wfdb_xqrs",
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Ours and the peers find the heartbeats of the same records in the same run; compared as EC57 says."""
    from ectopy.benchmarks.heartbeat_benchmark import benchmark_heartbeats
    from ectopy.cli.output import heartbeats

    def measure(progress: Progress) -> Mapping[str, Any]:
        return benchmark_heartbeats(data, split, methods.split(","), progress).summary()

    _run(measure, heartbeats.renderables, json, overwrite, [data])


@benchmark_app.command("mitdb")
def benchmark_mitdb_command(
    data: MitdbFolder,
    split: Annotated[str, typer.Option(help="ds1 = record by record cross-validation, ds2 = the shipped one.")] = "ds1",
    peers: Annotated[
        str, typer.Option(help="Some of population, knn, pca; separated by commas; '' = none.")
    ] = "population,knn,pca",
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """From recordings to verdicts: ours and the peers on the same beats of the same records in the same run."""
    from ectopy.benchmarks.mitdb_benchmark import benchmark_mitdb
    from ectopy.cli.output import mitdb

    def measure(progress: Progress) -> Mapping[str, Any]:
        return benchmark_mitdb(data, split, [name for name in peers.split(",") if name], progress).summary()

    _run(measure, mitdb.renderables, json, overwrite, [data])


@benchmark_app.command("strangers")
def benchmark_strangers_command(
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="A folder that holds databases, mitdb, qtdb ...; by default where data are kept.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many trainings for each database.")] = 3,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Train without one database and judge its patients, for each in turn; ours and the peers on the same beats."""
    from ectopy.benchmarks.strangers_benchmark import benchmark_strangers
    from ectopy.cli.output import strangers

    folders = data or []

    def measure(progress: Progress) -> Mapping[str, Any]:
        return benchmark_strangers(folders, seeds, progress=progress)

    _run(measure, strangers.renderables, json, overwrite, folders)


@benchmark_app.command("alarms")
def benchmark_alarms_command(
    data: MitdbFolder,
    split: Annotated[str, typer.Option(help="ds1 or ds2.")] = "ds1",
    profile: Annotated[str, typer.Option(help="Limits: ward, ambulatory, exercise, child or infant.")] = "ward",
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Replay annotated records to the monitor: how many alarms, which are right, what was missed, how late."""
    from ectopy.benchmarks.alarm_benchmark import benchmark_alarms
    from ectopy.cli.output import alarm_benchmark

    def measure(progress: Progress) -> Mapping[str, Any]:
        return benchmark_alarms(data, split, profile, progress).summary()

    _run(measure, alarm_benchmark.renderables, json, overwrite, [data])


@benchmark_app.command("fibrillation")
def benchmark_fibrillation_command(
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Holds vfdb and other folders: mitdb, qtdb, cinc2017, cinc2015.")
    ],
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit what tells fibrillation from the waveform, with records and whole databases left out."""
    from ectopy.benchmarks.fibrillation_benchmark import benchmark_fibrillation
    from ectopy.cli.output import fibrillation

    _run(lambda progress: benchmark_fibrillation(data, progress), fibrillation.renderables, json, overwrite, [data])


@benchmark_app.command("rhythm")
def benchmark_rhythm_command(
    data: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Records with marks of rhythm, with or without signals; or the Challenge 2017."
        ),
    ],
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Atrial fibrillation against labelled rhythms, beat by beat and by episodes; or the class of short recordings."""
    from ectopy.benchmarks.rhythm_benchmark import benchmark_rhythm
    from ectopy.cli.output import rhythm

    _run(lambda progress: benchmark_rhythm(data, progress), rhythm.renderables, json, overwrite, [data])


@benchmark_app.command("icu")
def benchmark_icu_command(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the Challenge 2015: ALARMS, .hea and .mat.")],
    without_pulse: Annotated[bool, typer.Option("--without-pulse", help="Leave the pulse waves out.")] = False,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Bedside alarms, true and false: which ones the monitor raises too (PhysioNet/CinC Challenge 2015)."""
    from ectopy.benchmarks.icu_benchmark import benchmark_icu
    from ectopy.cli.output import icu

    def measure(progress: Progress) -> Mapping[str, Any]:
        return benchmark_icu(data, not without_pulse, progress).summary()

    _run(measure, icu.renderables, json, overwrite, [data, data / "cinc2015", data / "training"])


@benchmark_app.command("ventricular")
def benchmark_ventricular_command(
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of records with marks of rhythm: .hea, .dat and .atr.")
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
    from ectopy.cli.output import ventricular

    def measure(progress: Progress) -> Mapping[str, Any]:
        if not from_start:
            return benchmark_ventricular(data, progress).summary()
        figures = benchmark_from_start(data, 0.0, progress).summary()
        return figures | {"from_60_s_before": benchmark_from_start(data, LEAD_IN_S, progress).summary()}

    _run(measure, ventricular.renderables, json, overwrite, [data, data / "vfdb"])


@benchmark_app.command("waves")
def benchmark_waves_command(
    data: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder of the QT Database (.q1c) or of LUDB (.i to .v6), with .hea and .dat."
        ),
    ],
    left_out: Annotated[
        str | None,
        typer.Option(
            "--left-out",
            help="Train again without the people that are judged: patients (by thirds) or databases. "
            "DIR then holds the folders qtdb, ludb and cinc2017.",
            show_default=False,
        ),
    ] = None,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Where P, QRS and T begin and end: ours and NeuroKit2's marks against those of cardiologists."""
    from ectopy.benchmarks.waves_benchmark import benchmark_left_out, benchmark_waves
    from ectopy.cli.output import waves

    def measure(progress: Progress) -> Mapping[str, Any]:
        if left_out is None:
            return benchmark_waves(data, progress).summary()
        results = benchmark_left_out(data, left_out, progress)
        return {database: result.summary() for database, result in results.items()}

    show = waves.renderables if left_out is None else waves.left_out_renderables
    _run(measure, show, json, overwrite, [data])


@benchmark_app.command("holter")
def benchmark_holter_command(
    hours: Annotated[float, typer.Option(help="Length of the recording, at most 168.")] = 24.0,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Time and memory for a long recording of one lead, on one thread."""
    from ectopy.benchmarks.holter_benchmark import benchmark_holter
    from ectopy.cli.output import holter

    _run(lambda progress: benchmark_holter(hours, progress), holter.renderables, json, overwrite)


@benchmark_app.command("cluster")
def benchmark_cluster_command(
    brokers: Annotated[str, typer.Option(metavar="HOST:PORT", help="Kafka's; topics are created that stay.")],
    patients: Annotated[str, typer.Option(help="How many at once; several numbers.")] = "10,100,300,500",
    shards: Annotated[str, typer.Option(help="How many, with the middle number of patients.")] = "1,8,64",
    seconds: Annotated[float, typer.Option(help="Length of each run, 10 to 3600.")] = 30.0,
    skew: Annotated[bool, typer.Option(help="Measure unequal patients, too.")] = True,
    kafka_config: KafkaConfig = None,
    jars: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Jars of Spark's Kafka connector; else downloaded.")
    ] = None,
    growth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Plot the growth: .svg .png .pdf", show_default=False)
    ] = None,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Watch simulated patients on Spark and Kafka, and beside that with the engine of one machine: cost and delay."""
    from ectopy.benchmarks.capacity_plot import check_growth_plot, cluster_plot
    from ectopy.benchmarks.cluster_benchmark import benchmark_cluster
    from ectopy.cli.output import cluster_benchmark, terminal

    check_outputs([json, growth], [jars, kafka_config], overwrite)
    if growth:
        check_growth_plot(growth)

    def measure(progress: Progress) -> Mapping[str, Any]:
        return benchmark_cluster(
            brokers, kafka_config, _counts(patients), _counts(shards), seconds, jars, skew, progress
        )

    figures = _run(measure, cluster_benchmark.renderables, json, overwrite, [jars])
    if growth:
        cluster_plot(growth, figures)
        terminal.screen(json).print(f"Wrote {growth}.")


@benchmark_app.command("archive")
def benchmark_archive_command(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of recordings.")],
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Judge the recordings of a folder with 'ectopy detect' and with 'ectopy cluster detect': time of each command."""
    from ectopy.benchmarks.archive_benchmark import benchmark_archive
    from ectopy.cli.output import archive_benchmark

    _run(partial(benchmark_archive, data), archive_benchmark.renderables, json, overwrite, [data])


@benchmark_app.command("monitor")
def benchmark_monitor_command(
    patients: Annotated[
        str, typer.Option(help="How many at once; several numbers, separated by commas.")
    ] = _USUAL_PATIENTS,
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
    from ectopy.benchmarks.capacity_plot import check_growth_plot, growth_plot
    from ectopy.benchmarks.monitor_benchmark import GROWTH, benchmark_monitor
    from ectopy.cli.output import monitor, terminal

    files = database_files(store)
    check_outputs([json, growth], files, overwrite)
    if growth:
        refuse_options({"--patients": patients != _USUAL_PATIENTS}, "is not for --growth, which has numbers of its own")
        check_growth_plot(growth)
    counts = GROWTH if growth else _counts(patients)

    def measure(progress: Progress) -> Mapping[str, Any]:
        costs = [asdict(cost) for cost in benchmark_monitor(counts, seconds, store, learning, progress)]
        return costs[0] if len(costs) == 1 else {"growth": costs}

    figures = _run(measure, monitor.renderables, json, overwrite, files)
    if growth:
        growth_plot(growth, figures["growth"])
        terminal.screen(json).print(f"Wrote {growth}.")


def _counts(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise SettingError(f"'{text}' is not a number of patients, nor a list of them separated by commas.") from error


@benchmark_app.command("service")
def benchmark_service_command(
    devices: Annotated[int, typer.Option(help="Devices that stream, 1 to 1000.")] = 200,
    viewers: Annotated[int, typer.Option(help="Viewers, 1 to 100; one of them never reads.")] = 20,
    seconds: Annotated[float, typer.Option(help="Length of the run, 5 to 3600.")] = 60.0,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Start a service, let devices stream and viewers look: what is lost, how late it is seen, memory."""
    from ectopy.benchmarks.service_benchmark import benchmark_service
    from ectopy.cli.output import load

    def measure(progress: Progress) -> Mapping[str, Any]:
        return asdict(benchmark_service(devices, viewers, seconds, progress))

    _run(measure, load.renderables, json, overwrite)


@benchmark_app.command("speed")
def benchmark_speed(
    bundle: Annotated[
        Path | None, typer.Option(help="The detector to time; a default one is trained otherwise.", show_default=False)
    ] = None,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Time and memory of detection, on one thread."""
    from tempfile import TemporaryDirectory

    from ectopy import datasets
    from ectopy.benchmarks.speed_benchmark import measure_speed
    from ectopy.cli.output import speed, terminal

    check_outputs([json], [bundle], overwrite)
    with TemporaryDirectory() as folder:
        detector = Path(folder) / "default.ectopy" if bundle is None else bundle
        if bundle is None:
            train_and_save(datasets.load_simulated("train"), detector, terminal.screen(json))
        _run(lambda progress: measure_speed(detector), speed.renderables, json, overwrite, [bundle])
