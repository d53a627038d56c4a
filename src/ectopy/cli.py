"""The command line: parse, call, print."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ectopy import __version__
from ectopy.cli_alarms import alarms_app, what_if
from ectopy.cli_service import replay, serve
from ectopy.errors import DataError, EctopyError, SettingError
from ectopy.statements import STATEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from ectopy.batch import Job
    from ectopy.beats import Beats
    from ectopy.detector import Detector, ThresholdRule
    from ectopy.model import TrainingSettings
    from ectopy.monitor import Input
    from ectopy.watching.plan import Plan

app = typer.Typer(
    name="ectopy",
    help="Learns what a normal heartbeat looks like and says when one is not.\n\n" + " ".join(STATEMENTS),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
fetch_app = typer.Typer(no_args_is_help=True, help="Download a data set from its owner, verify it, keep it.")
benchmark_app = typer.Typer(no_args_is_help=True, help="Measure Ectopy, and what people use instead.")
app.add_typer(fetch_app, name="fetch")
app.add_typer(benchmark_app, name="benchmark")
app.add_typer(alarms_app, name="alarms")
app.command("what-if")(what_if)
app.command()(serve)
app.command()(replay)

Data = Annotated[
    str,
    typer.Argument(help="'ecg5000', 'simulated', or a file of beats: .txt .ts .arff .tsv .csv .npy .parquet"),
]
Bundle = Annotated[Path, typer.Argument(help="A detector: a file made by 'ectopy train'.")]
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
TargetFpr = Annotated[
    float | None,
    typer.Option(help="Take the threshold anew, for this share of normal beats flagged.", show_default=False),
]


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the detector goes, and the report.")] = Path("ectopy-demo"),
    report: Report = None,
    json: Json = None,
    live: Annotated[
        bool, typer.Option("--live", help="Serve eight simulated patients instead, and look at them in a browser.")
    ] = False,
) -> None:
    """Train on normal beats, find the abnormal ones, show them: the whole way in a minute."""
    if live:
        from ectopy.console.live_demo import run_live_demo

        run_live_demo()
        return
    from ectopy import console, datasets
    from ectopy.errors import DatasetUnavailableError
    from ectopy.files import make_folder

    page = report or folder / "report.html"
    make_folder(folder)
    _check_rim(json, page)
    screen = console.screen(json)
    try:
        training, test = datasets.load_ecg5000("train"), datasets.load_ecg5000("test")
    except DatasetUnavailableError as error:
        screen.print(f"This runs on simulated beats: {error}")
        training, test = datasets.load_simulated("train"), datasets.load_simulated("test")
    detector = _train(training, folder / "demo.ectopy", screen)
    _evaluate(detector, test, json, page, screen)
    screen.print(console.verdict_table(detector.explain(test), rows=3))
    screen.print(f"The detector is {folder / 'demo.ectopy'}. Look at {page}.")


@fetch_app.command("ecg5000")
def fetch_ecg5000_command(json: Json = None) -> None:
    """ECG5000: 5,000 labelled heartbeats of one patient (Chen and Keogh; from PhysioNet's BIDMC CHF database)."""
    from ectopy import console, datasets

    _check_rim(json)
    folder = datasets.fetch_ecg5000()
    training, test = datasets.load_ecg5000("train"), datasets.load_ecg5000("test")
    console.emit(json, {"folder": str(folder), "training_beats": len(training), "test_beats": len(test)})
    console.screen(json).print(f"ECG5000 is verified and ready in {folder}: {len(training)} and {len(test)} beats.")


@fetch_app.command("mitdb")
def fetch_mitdb_command(json: Json = None) -> None:
    """MIT-BIH Arrhythmia Database: 48 half hours with every beat annotated (Moody and Mark; from PhysioNet, ODC-BY)."""
    from ectopy import console, datasets
    from ectopy.datasets.mitdb import RECORDS

    _check_rim(json)
    folder = datasets.fetch_mitdb()
    console.emit(json, {"folder": str(folder), "records": len(RECORDS)})
    console.screen(json).print(
        f"The MIT-BIH Arrhythmia Database is verified and ready in {folder}: {len(RECORDS)} records."
    )


@app.command()
def train(
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The bundle to write (.ectopy).")],
    split: Split = None,
    architecture: Annotated[str, typer.Option(help="default, tutorial, dense, conv, lstm or vae.")] = "default",
    threshold: Annotated[str, typer.Option(help="conformal, mean+kstd, quantile or max.")] = "conformal",
    target_fpr: Annotated[float, typer.Option(help="Share of normal beats that may be flagged.")] = 0.01,
    k_std: Annotated[float, typer.Option(help="For mean+kstd.")] = 1.0,
    members: Annotated[int, typer.Option(help="Autoencoders, each kept from one part of the normals.")] = 4,
    max_steps: Annotated[int, typer.Option(help="Optimiser steps at most.")] = 1500,
    seed: Annotated[int, typer.Option(help="The same seed gives the same detector.")] = 0,
    json: Json = None,
) -> None:
    """Learn normal beats from DATA and keep the detector as a bundle; beats labelled abnormal are not learned."""
    from ectopy import console
    from ectopy.detector import ThresholdRule
    from ectopy.files import check_writable
    from ectopy.model import TrainingSettings

    check_writable(output)
    _check_rim(json)
    screen = console.screen(json)
    rule = ThresholdRule(threshold, target_fpr, k_std)
    settings = TrainingSettings(architecture=architecture, members=members, max_steps=max_steps)
    if data == "mitdb":
        detector = _train_ambulatory(split or "ds1", output, screen, settings, rule, seed)
    else:
        detector = _train(_load(data, split, "train"), output, screen, settings, rule, seed)
    console.emit(json, console.facts(detector))
    screen.print(console.facts_table(detector))
    screen.print(f"Wrote {output}.")


@app.command()
def evaluate(
    bundle: Bundle,
    data: Data,
    split: Split = None,
    target_fpr: TargetFpr = None,
    report: Report = None,
    json: Json = None,
) -> None:
    """Judge labelled beats and compare with their labels."""
    from ectopy import console

    _evaluate(_detector(bundle, target_fpr), _load(data, split, "test"), json, report, console.screen(json))


@app.command()
def detect(
    bundle: Annotated[str, typer.Argument(help="A file made by 'ectopy train'; 'ambulatory' = the shipped one.")],
    data: Annotated[
        list[str],
        typer.Argument(help="Beats, as for 'train'; or recordings, or folders of them: WFDB, EDF, .csv .parquet .npy."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="RESULTS",
            help="One line a beat: .csv or .json; of a recording also .edf, .atr or .ecto (WFDB). "
            "Of several recordings a folder.",
            show_default=False,
        ),
    ] = None,
    split: Split = None,
    target_fpr: TargetFpr = None,
    report: Report = None,
    rate: Annotated[float | None, typer.Option(help="Sampling rate in Hz, where a file does not say.")] = None,
    unit: Annotated[str | None, typer.Option(help="mV, uV or V, where a file does not say.")] = None,
    notch: Annotated[float | None, typer.Option(help="Mains frequency to remove, 50 or 60.")] = None,
    learning: Annotated[float, typer.Option(help="Seconds from which a patient's normal is learned.")] = 300.0,
    baseline: Annotated[Path | None, typer.Option(help="A patient's normal, saved earlier.")] = None,
    save_baseline: Annotated[Path | None, typer.Option(help="Where to save this patient's normal.")] = None,
    json: Json = None,
) -> None:
    """Judge beats or recordings: NORMAL, ABNORMAL or UNREADABLE, with the reason."""
    from ectopy.batch import Job, load_detector
    from ectopy.signal import FilterSettings

    detector = load_detector(bundle, target_fpr)
    if detector.recordings is None:
        _detect_beats(detector, data, output, split, report, json)
        return
    job = Job(
        Path(data[0]),
        bundle,
        sampling_rate_hz=rate,
        unit=unit,
        target_fpr=target_fpr,
        filters=FilterSettings(notch_hz=notch),
        learning_s=learning,
        baseline=baseline,
        save_baseline=save_baseline,
    )
    _detect_recordings(job, [Path(item) for item in data], output, report, json)


def _detect_beats(
    detector: Detector, data: list[str], output: Path | None, split: str | None, report: Path | None, json: str | None
) -> None:
    from ectopy import console
    from ectopy.detector.results import check_suffix, write_results
    from ectopy.files import check_writable

    if output:
        check_suffix(output)
        check_writable(output)
    _check_rim(json, report)
    screen = console.screen(json)
    if len(data) != 1:
        raise SettingError("a detector of beats takes one data set or file at a time; 'ambulatory' takes recordings.")
    beats = _load(data[0], split, "test")
    with console.progress("judging") as progress:
        explanation = detector.explain(beats, lambda done, total: progress(done, total, "judging"))
    if output:
        write_results(output, beats, explanation)
        screen.print(f"Wrote {output}.")
    if report:
        from ectopy.report import detection_report

        detection_report(report, detector, beats, explanation.detection)
        screen.print(f"Wrote {report}.")
    console.emit(json, console.verdict_counts(explanation.detection))
    screen.print(console.verdict_table(explanation))


def _detect_recordings(job: Job, paths: list[Path], output: Path | None, report: Path | None, json: str | None) -> None:
    from ectopy import console
    from ectopy.batch import find_recordings, plan, run_all
    from ectopy.console.analysis import analysis_table

    _check_rim(json)
    screen = console.screen(json)
    jobs = plan(job, find_recordings(paths), output, report)
    with console.progress("reading") as progress:
        outcomes = run_all(jobs, progress)
    done = [outcome.summary for outcome in outcomes if outcome.summary is not None]
    failed = {str(outcome.job.recording): outcome.error for outcome in outcomes if outcome.error is not None}
    console.emit(json, {"recordings": done, "failed": failed})
    if done:
        screen.print(analysis_table(done))
    for each in jobs:
        for path in (each.results, each.report, each.save_baseline):
            if path is not None and str(each.recording) not in failed:
                screen.print(f"Wrote {path}.")
    if failed:
        raise DataError("; ".join(f"{error}" for error in failed.values()))


@app.command()
def watch(
    recording: Annotated[
        str,
        typer.Argument(
            help="A recording, as for 'inspect', replayed as if it were live; or '-': standard input, a line for each "
            "sample, with one number for each lead, separated by commas."
        ),
    ],
    rate: Annotated[
        float | None, typer.Option(metavar="HZ", help="Sampling rate, where a file does not say; always for '-'.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="mV, uV or V, where a file or header does not say.")] = None,
    leads: Annotated[str | None, typer.Option(metavar="NAMES", help="For '-': the leads, separated by commas.")] = None,
    speed: Annotated[float | None, typer.Option(help="Times real time; 1 if not given.", show_default=False)] = None,
    fast: Annotated[bool, typer.Option("--fast", help="As fast as can be.")] = False,
    chunk: Annotated[float, typer.Option(help="Seconds of signal that come at once, above 0 to 60.")] = 1.0,
    from_s: Annotated[
        float, typer.Option("--from", metavar="S", help="Tell from this second on; before it all is watched, untold.")
    ] = 0.0,
    to_s: Annotated[float | None, typer.Option("--to", metavar="S", help="End here.", show_default=False)] = None,
    profile: Annotated[str, typer.Option(help="Of limits: ward, ambulatory or exercise.")] = "ward",
    age: Annotated[float | None, typer.Option(help="Years, for 'exercise'.")] = None,
    resting_rate: Annotated[float | None, typer.Option(help="Beats per minute at rest, for 'exercise'.")] = None,
    limit: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Another limit, such as high_bpm=120; repeatable.")
    ] = None,
    learning: Annotated[float, typer.Option(help="Seconds from which a patient's normal is learned.")] = 300.0,
    baseline: Annotated[Path | None, typer.Option(help="A patient's normal, saved earlier.")] = None,
    save_baseline: Annotated[Path | None, typer.Option(help="Where to save this patient's normal.")] = None,
    bundle: Annotated[
        str, typer.Option(help="A file made by 'ectopy train'; 'ambulatory' = the shipped one.")
    ] = "ambulatory",
    beats: Annotated[bool, typer.Option("--beats", help="Tell of every beat.")] = False,
    json: Annotated[bool, typer.Option("--json", help="A JSON object a line for every event.")] = False,
    report: Report = None,
) -> None:
    """Watch an ECG as it comes and raise alarms; each says the command that shows it again."""
    from ectopy.console.watch import require_json
    from ectopy.files import check_writable
    from ectopy.watching.plan import Plan, limits_named

    _check_rim(None, report)
    if save_baseline is not None:
        check_writable(save_baseline)
    if json:
        require_json()
    limits = limits_named(limit or ())
    plan = Plan(recording, rate, unit, profile, age, resting_rate, limits, learning, baseline, bundle)
    if plan.live:
        if speed is not None or fast or from_s or to_s is not None:
            raise SettingError("standard input comes as it comes: --speed, --fast, --from and --to are for recordings.")
        inputs = _standard_input(plan, leads, chunk)
    else:
        if leads is not None:
            raise SettingError("a recording names its leads: --leads is for standard input.")
        if speed is not None and fast:
            raise SettingError("choose between --speed and --fast.")
        inputs = _replayed(plan, chunk, from_s, to_s, speed=None if fast else 1.0 if speed is None else speed)
    if not _watch(plan, inputs, from_s, beats, json, report, save_baseline):
        raise typer.Exit(130)


def _standard_input(plan: Plan, leads: str | None, chunk_s: float) -> Iterator[Input]:
    import time

    from ectopy.formats.leads import Stated
    from ectopy.formats.lines import SampleLines
    from ectopy.watching.sources import arriving, from_lines

    if plan.sampling_rate_hz is None:
        raise SettingError("standard input states no sampling rate: give it in Hz with --rate.")
    names = [] if leads is None else [name.strip() for name in leads.split(",")]
    lines = SampleLines(Stated(None, plan.unit), names, lambda text: print(f"ectopy: {text}", file=sys.stderr))
    return from_lines(arriving(0), lines, plan.sampling_rate_hz, chunk_s, time.monotonic)


def _replayed(plan: Plan, chunk_s: float, from_s: float, to_s: float | None, speed: float | None) -> Iterator[Input]:
    import time

    from ectopy.formats import read
    from ectopy.watching.sources import from_recording, paced

    recording = read(plan.source, sampling_rate_hz=plan.sampling_rate_hz, unit=plan.unit)
    if not 0 <= from_s < recording.duration_s:
        raise SettingError(f"--from must lie in the recording, 0 to {recording.duration_s:g} s, not {from_s:g}.")
    if to_s is not None and not to_s > from_s:
        raise SettingError(f"--to must be more than --from, {from_s:g} s, not {to_s:g}.")
    chunks = from_recording(recording, chunk_s, to_s)
    return chunks if speed is None else paced(chunks, speed, from_s, time.monotonic, time.sleep)


def _watch(
    plan: Plan,
    inputs: Iterator[Input],
    from_s: float,
    beats: bool,
    json: bool,
    report: Path | None,
    save_baseline: Path | None,
) -> bool:
    """Watch until the end and say what was; False where a person ended it."""
    from ectopy import batch, console
    from ectopy.console.watch import detector_text, event_json, event_text, summary_table
    from ectopy.detector.patient import PatientNormal
    from ectopy.monitor import AlarmChanged, BeatJudged, Monitor, MonitorState
    from ectopy.monitor.alarms import active
    from ectopy.watching import watch
    from ectopy.watching.album import Album
    from ectopy.watching.tally import Tally

    limits, digest = plan.watched_limits(), batch.digest(plan.bundle)
    monitor = Monitor.of(batch.load_detector(plan.bundle), plan.learning_s)
    state = MonitorState(limits, None if plan.baseline is None else PatientNormal.load(plan.baseline))
    screen = console.screen("-" if json else None)
    tally, album = Tally(), Album(from_s)
    finished = False
    try:
        for step in watch(monitor, state, inputs):
            state = step.state
            told = [event for event in step.events if event.at_s >= from_s]
            tally.take(told)
            if report:
                album.take(step)
            for event in told:
                replay = plan.replay(event) if isinstance(event, AlarmChanged) else None
                if json:
                    print(event_json(event, digest, replay), flush=True)
                elif beats or not isinstance(event, BeatJudged):
                    screen.print(event_text(event, replay))
        finished = True
    except KeyboardInterrupt:
        screen.print("Ended by hand.")
    signal = state.signal
    if signal is None:
        return finished
    normal = signal.detection.baseline.text
    detector = detector_text(plan.bundle, digest)
    span_s = (from_s, max(state.clock_s, from_s))
    screen.print(summary_table(plan.name, span_s, tally, active(state.alarms), normal, detector))
    if report:
        from ectopy.report.alarms import Watched, alarm_report

        album.close()
        segment = signal.segment
        watched = Watched(
            plan.name, *span_s, segment.rate_hz, segment.leads, limits, normal, plan.bundle, digest, plan.replay
        )
        alarm_report(report, watched, tally, album)
        screen.print(f"Wrote {report}.")
    if save_baseline:
        if state.normal is None:
            raise DataError(f"{plan.name}: {normal}")
        state.normal.save(save_baseline)
        screen.print(f"Wrote {save_baseline}.")
    return finished


@app.command()
def info(bundle: Bundle, json: Json = None) -> None:
    """Check a bundle and say what it was trained on, how, and what it takes."""
    from ectopy import console
    from ectopy.detector import Detector
    from ectopy.detector.bundle import bundle_digest

    detector = Detector.load(bundle)
    console.emit(json, {**console.facts(detector), "bundle_digest": bundle_digest(bundle)})
    console.screen(json).print(console.facts_table(detector))


@app.command()
def inspect(
    recording: Annotated[
        Path, typer.Argument(help="A continuous ECG: a WFDB record (.hea), .edf, .csv, .parquet or .npy.")
    ],
    rate: Annotated[
        float | None,
        typer.Option(metavar="HZ", help="Sampling rate, for a file that states none.", show_default=False),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(metavar="UNIT", help="mV, uV or V, for a file that states none.", show_default=False),
    ] = None,
    notch: Annotated[
        float | None, typer.Option(metavar="HZ", help="Mains frequency to remove, 50 or 60.", show_default=False)
    ] = None,
    json: Json = None,
) -> None:
    """Say what a recording holds: leads, length, where it can be read and where not, heart rate."""
    from ectopy import console
    from ectopy.console.inspection import inspection_tables
    from ectopy.formats import read
    from ectopy.signal import FilterSettings
    from ectopy.signal.inspection import inspect as inspect_recording

    _check_rim(json)
    settings = FilterSettings(notch_hz=notch)
    inspection = inspect_recording(read(recording, sampling_rate_hz=rate, unit=unit), settings)
    console.emit(json, inspection.summary())
    screen = console.screen(json)
    for table in inspection_tables(inspection):
        screen.print(table)


@app.command()
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
) -> None:
    """Compare annotations beat by beat as ANSI/AAMI EC57 says and WFDB's bxb and sumstats do."""
    from ectopy import console
    from ectopy.console.ec57 import comparison_table
    from ectopy.evaluation.ec57_files import compare_files

    _check_rim(json)
    result = compare_files(reference, test, reference_ext, test_ext, label_map)
    console.emit(json, result.summary())
    screen = console.screen(json)
    screen.print(comparison_table(result))
    if result.left_out:
        screen.print(f"On one side only, and left out: {', '.join(result.left_out)}.")


@benchmark_app.command("ecg5000")
def benchmark_ecg5000(
    protocol: Annotated[str, typer.Option(help="official, tutorial or resplit.")] = "official",
    seeds: Annotated[int, typer.Option(help="How many trials.")] = 3,
    methods: Annotated[
        str,
        typer.Option(help="Some of ectopy, tutorial, pca, knn, ocsvm, iforest; separated by commas."),
    ] = "ectopy,tutorial,pca,knn,ocsvm,iforest",
    json: Json = None,
) -> None:
    """Ours and the peers on the same beats in the same run; no method sees a label."""
    from ectopy import console, datasets
    from ectopy.evaluation.benchmark import benchmark

    _check_rim(json)
    screen = console.screen(json)
    beats = datasets.load_ecg5000("all")
    with console.progress("benchmark") as progress:
        result = benchmark(beats, protocol, seeds, methods.split(","), progress)
    console.emit(json, result)
    screen.print(console.benchmark_table(result))


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
) -> None:
    """Ours and the peers find the heartbeats of the same records in the same run; compared as EC57 says."""
    from ectopy import console
    from ectopy.console.heartbeats import heartbeats_table, missing_line
    from ectopy.evaluation.heartbeats import benchmark_heartbeats

    _check_rim(json)
    screen = console.screen(json)
    with console.progress("benchmark") as progress:
        result = benchmark_heartbeats(data, split, methods.split(","), progress)
    console.emit(json, result.summary())
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
) -> None:
    """From recordings to verdicts: ours and the peers on the same beats of the same records in the same run."""
    from ectopy import console
    from ectopy.console.mitdb import gaps_lines, methods_table, records_table
    from ectopy.evaluation.mitdb import benchmark_mitdb

    _check_rim(json)
    screen = console.screen(json)
    with console.progress("benchmark") as progress:
        result = benchmark_mitdb(data, split, [name for name in peers.split(",") if name], progress)
    console.emit(json, result.summary())
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
    profile: Annotated[str, typer.Option(help="Limits: ward, ambulatory or exercise.")] = "ward",
    json: Json = None,
) -> None:
    """Replay annotated records to the monitor: how many alarms, which are right, what was missed, how late."""
    from ectopy import console
    from ectopy.console.alarm_benchmark import alarms_table, conditions_table, summary_lines
    from ectopy.evaluation.alarms import benchmark_alarms

    _check_rim(json)
    screen = console.screen(json)
    with console.progress("benchmark") as progress:
        result = benchmark_alarms(data, split, profile, progress)
    figures = result.summary()
    console.emit(json, figures)
    screen.print(alarms_table(figures))
    screen.print(conditions_table(figures))
    for line in summary_lines(figures):
        screen.print(line)


@benchmark_app.command("holter")
def benchmark_holter_command(
    hours: Annotated[float, typer.Option(help="Length of the recording, at most 168.")] = 24.0,
    json: Json = None,
) -> None:
    """Time and memory for a long recording of one lead, on one thread."""
    from ectopy import console
    from ectopy.console.mitdb import holter_table
    from ectopy.evaluation.holter import benchmark_holter

    _check_rim(json)
    screen = console.screen(json)
    with console.progress("benchmark") as progress:
        figures = benchmark_holter(hours, progress)
    console.emit(json, figures)
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
) -> None:
    """Watch simulated patients in real time with the storage on: processor time, delay and memory."""
    from dataclasses import asdict

    from ectopy import console
    from ectopy.console.monitor import cost_table
    from ectopy.report.growth import check_growth_plot, growth_plot
    from ectopy.service.benchmark import GROWTH, benchmark_monitor

    _check_rim(json)
    if growth:
        check_growth_plot(growth)
    counts = GROWTH if growth else _counts(patients)
    screen = console.screen(json)
    with console.progress("benchmark") as progress:
        costs = benchmark_monitor(counts, seconds, store, learning, progress)
    figures = [asdict(cost) for cost in costs]
    console.emit(json, figures[0] if len(figures) == 1 else {"growth": figures})
    screen.print(cost_table(costs))
    if growth:
        growth_plot(growth, figures)
        screen.print(f"Wrote {growth}.")


def _counts(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise SettingError(f"'{text}' is no number of patients, nor several separated by commas.") from error


@benchmark_app.command("service")
def benchmark_service_command(
    devices: Annotated[int, typer.Option(help="That stream, 1 to 1000.")] = 200,
    viewers: Annotated[int, typer.Option(help="That look, 1 to 100; one of them never reads.")] = 20,
    seconds: Annotated[float, typer.Option(help="Length of the run, 5 to 3600.")] = 60.0,
    json: Json = None,
) -> None:
    """Start a service, let devices stream and viewers look: what is lost, how late it is seen, memory."""
    from dataclasses import asdict

    from ectopy import console
    from ectopy.console.load import load_table
    from ectopy.service.load_benchmark import benchmark_service

    _check_rim(json)
    with console.progress("benchmark") as progress:
        load = benchmark_service(devices, viewers, seconds, progress)
    console.emit(json, asdict(load))
    console.screen(json).print(load_table(load))


@benchmark_app.command("speed")
def benchmark_speed(
    bundle: Annotated[
        Path | None,
        typer.Option(help="The detector to time; a default one is trained otherwise.", show_default=False),
    ] = None,
    json: Json = None,
) -> None:
    """Time and memory of detection, on one thread."""
    from tempfile import TemporaryDirectory

    from ectopy import console, datasets
    from ectopy.evaluation.speed import measure_speed

    _check_rim(json)
    screen = console.screen(json)
    with TemporaryDirectory() as folder:
        if bundle is None:
            bundle = Path(folder) / "default.ectopy"
            _train(datasets.load_simulated("train"), bundle, screen)
        figures = measure_speed(bundle)
    console.emit(json, figures)
    screen.print(console.speed_table(figures))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _check_rim(json: str | None, report: Path | None = None) -> None:
    """Raise before long work when what was asked for could not be written."""
    from ectopy import console
    from ectopy.files import check_writable

    console.check_json(json)
    if report:
        from ectopy.report import require_extra

        require_extra()
        check_writable(report)


def _load(data: str, split: str | None, usual: str) -> Beats:
    from ectopy import datasets

    return datasets.load(data, split or (usual if data in datasets.NAMES else None))


def _detector(bundle: Path, target_fpr: float | None) -> Detector:
    from ectopy.detector import Detector, ThresholdRule

    detector = Detector.load(bundle)
    return detector if target_fpr is None else detector.with_rule(ThresholdRule(target_fpr=target_fpr))


def _train(
    training: Beats,
    output: Path,
    screen: Console,
    settings: TrainingSettings | None = None,
    rule: ThresholdRule | None = None,
    seed: int = 0,
) -> Detector:
    from ectopy import console
    from ectopy.pipeline import require_trainable, train

    require_trainable(training, settings, rule)
    screen.print(console.about_training(training))
    with console.progress("starting TensorFlow") as progress:
        detector = train(
            training, settings, rule, random_state=seed, progress=lambda done, steps: progress(done, steps, "training")
        )
    detector.save(output)
    return detector


def _train_ambulatory(
    split: str, output: Path, screen: Console, settings: TrainingSettings, rule: ThresholdRule, seed: int
) -> Detector:
    from ectopy import console
    from ectopy.ambulatory import learn_from, train_ambulatory
    from ectopy.datasets import mitdb

    if split not in mitdb.SPLITS:
        raise SettingError(f"the MIT-BIH database has the splits {' and '.join(mitdb.SPLITS)}, not '{split}'.")
    records = mitdb.SPLITS[split]
    source = f"MIT-BIH Arrhythmia Database 1.0.0, {split.upper()} (ODC-BY 1.0)"
    with console.progress("reading") as progress:
        lessons = []
        for done, record in enumerate(records):
            progress(done, len(records), f"record {record}")
            lessons.append(learn_from(mitdb.load_mitdb(record)))
    screen.print(f"Learning from {source}: the normal beats of {len(records)} records, two leads each.")
    with console.progress("starting TensorFlow") as progress:
        detector = train_ambulatory(
            [lesson for lesson in lessons if lesson is not None],
            source,
            settings,
            rule,
            random_state=seed,
            progress=lambda done, steps: progress(done, steps, "training"),
        )
    detector.save(output)
    return detector


def _evaluate(detector: Detector, beats: Beats, json: str | None, report: Path | None, screen: Console) -> None:
    from ectopy import console
    from ectopy.evaluation import evaluate

    _check_rim(json, report)
    with console.progress("judging") as progress:
        evaluation = evaluate(detector, beats, lambda done, total: progress(done, total, "judging"))
    if report:
        from ectopy.report import evaluation_report

        evaluation_report(report, detector, evaluation)
        screen.print(f"Wrote {report}.")
    console.emit(json, evaluation.summary())
    screen.print(console.evaluation_table(evaluation))


def main() -> None:
    """Run the command line; an expected error is one sentence on stderr and exit status 2."""
    try:
        app()
    except EctopyError as error:
        sys.stderr.write(f"ectopy: {error}\n")
        sys.exit(2)
