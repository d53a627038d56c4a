"""The commands that train, evaluate, use and describe a detector."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ectopy.cli.options import (
    Baseline,
    Bundle,
    CorrectionsFile,
    Data,
    Json,
    Learning,
    Notch,
    Overwrite,
    Partial,
    Rate,
    Report,
    SaveBaseline,
    Split,
    TargetFpr,
    Unit,
    check_learning,
    check_report,
    refuse_options,
)
from ectopy.cli.output_files import check_outputs
from ectopy.errors import DataError, SettingError

if TYPE_CHECKING:
    from rich.console import Console

    from ectopy.beats import Beats
    from ectopy.cli.batch import Job
    from ectopy.detector import Detector, ThresholdRule
    from ectopy.training import TrainingSettings


_NOT_TABLES = ".edf", ".atr", ".ecto", ".ann", ".fhir.json"


def train(
    data: Data,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The bundle to write (.ectopy); of 'waves' .npz.")
    ],
    split: Split = None,
    sources: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="For 'ambulatory' and 'waves': a folder that holds databases, mitdb, qtdb ...; where data are "
            "kept, by default, for 'ambulatory'.",
            show_default=False,
        ),
    ] = None,
    from_corrected: Annotated[
        list[Path] | None,
        typer.Option(
            "--from-corrected",
            metavar="FILE",
            help="For 'ambulatory': a recording whose corrections are beside it, holter.edf with "
            "holter.corrections.json; may be repeated.",
            show_default=False,
        ),
    ] = None,
    architecture: Annotated[str, typer.Option(help="default, tutorial, dense, conv, lstm or vae.")] = "default",
    threshold: Annotated[str, typer.Option(help="conformal, mean+kstd, quantile or max.")] = "conformal",
    target_fpr: Annotated[float, typer.Option(help="Share of normal beats that may be flagged.")] = 0.01,
    k_std: Annotated[float, typer.Option(help="For mean+kstd.")] = 1.0,
    members: Annotated[int, typer.Option(help="Autoencoders, each kept from one part of the normals.")] = 4,
    max_steps: Annotated[int, typer.Option(help="Optimiser steps at most.")] = 1500,
    seed: Annotated[int, typer.Option(help="The same seed gives the same detector.")] = 0,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Learn normal beats from DATA and keep the detector as a bundle; beats labelled abnormal are not learned.

    'ambulatory' trains the shipped detector again, 'waves' the shipped network that delineates P, QRS and T.
    """
    from ectopy.cli.output import terminal
    from ectopy.detector import ThresholdRule
    from ectopy.training import TrainingSettings

    check_outputs([output, json], [data, *(from_corrected or [])], overwrite)
    screen = terminal.screen(json)
    rule = ThresholdRule(threshold, target_fpr, k_std)
    settings = TrainingSettings(architecture=architecture, members=members, max_steps=max_steps)
    _check_training_options(data, settings, rule, split, sources, from_corrected, json)
    if data == "waves":
        _train_waves(sources or [], output, screen, seed)
        screen.print(f"Wrote {output}.")
        return
    if data == "ambulatory":
        detector = _train_ambulatory(sources or [], from_corrected or [], output, screen, settings, rule, seed)
    else:
        detector = train_and_save(_load(data, split, "train"), output, screen, settings, rule, seed)
    terminal.emit(json, terminal.facts(detector))
    screen.print(terminal.facts_table(detector))
    screen.print(f"Wrote {output}.")


def _check_training_options(
    data: str,
    settings: TrainingSettings,
    rule: ThresholdRule,
    split: str | None,
    sources: list[Path] | None,
    from_corrected: list[Path] | None,
    json: str | None,
) -> None:
    """Raise SettingError where an option is set that means nothing for the data, or for the threshold."""
    from ectopy.detector import ThresholdRule
    from ectopy.training import TrainingSettings

    usual_settings, usual_rule = TrainingSettings(), ThresholdRule()
    target_fpr = {"--target-fpr": rule.target_fpr != usual_rule.target_fpr}
    k_std = {"--k-std": rule.k_std != usual_rule.k_std}
    of_detectors = {
        "--split": split,
        "--architecture": settings.architecture != usual_settings.architecture,
        "--threshold": rule.name != usual_rule.name,
        **target_fpr,
        **k_std,
        "--members": settings.members != usual_settings.members,
        "--max-steps": settings.max_steps != usual_settings.max_steps,
        "--json": json,
    }
    if data == "waves":
        refuse_options(of_detectors, "is for detectors, and 'waves' is a network of another kind: leave it out")
    elif data == "ambulatory":
        refuse_options({"--split": split}, "is not for 'ambulatory', which learns from whole databases: leave it out")
    else:
        refuse_options({"--data": sources}, "names databases for 'ambulatory' and 'waves': leave it out for other data")
    if data != "ambulatory":
        corrected = {"--from-corrected": from_corrected}
        refuse_options(corrected, "names recordings for 'ambulatory': leave it out for other data")
    if rule.name != "mean+kstd":
        refuse_options(k_std, "is for --threshold mean+kstd: leave it out for other thresholds")
    if rule.name in ("mean+kstd", "max"):
        refuse_options(target_fpr, f"is not for --threshold {rule.name}: leave it out")


def evaluate(
    bundle: Bundle,
    data: Data,
    split: Split = None,
    target_fpr: TargetFpr = None,
    report: Report = None,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Judge labelled beats and compare with their labels."""
    from ectopy.analysis.shipped_detector import load_detector
    from ectopy.cli.output import terminal

    if _is_detector(data) and not _is_detector(bundle):
        bundle, data = data, bundle
    check_report(report)
    check_outputs([report, json], [bundle, data], overwrite)
    evaluate_and_show(
        load_detector(bundle, target_fpr), _load(data, split, "test"), json, report, terminal.screen(json)
    )


def detect(
    context: typer.Context,
    bundle: Annotated[
        str,
        typer.Argument(
            metavar="[DETECTOR] DATA",
            help="DETECTOR: a file made by 'ectopy train'; 'ambulatory' = the shipped one, also if left out.",
        ),
    ],
    data: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DATA",
            help="Beats, as for 'train'; or recordings of any format, folders of them, s3:// or https://.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="RESULTS",
            help="One line a beat: .csv or .json; of a recording also .edf, .ann (ISHNE), .atr or .ecto (WFDB), "
            ".fhir.json. Of several recordings a folder.",
            show_default=False,
        ),
    ] = None,
    split: Split = None,
    target_fpr: TargetFpr = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write the report, .html or .pdf. Of several recordings a folder of pages; see also 'ectopy report'.",
            show_default=False,
        ),
    ] = None,
    rate: Rate = None,
    unit: Unit = None,
    notch: Notch = None,
    learning: Learning = 300.0,
    baseline: Baseline = None,
    save_baseline: SaveBaseline = None,
    partial: Partial = False,
    waves: Annotated[
        bool,
        typer.Option(
            "--waves", help="Measure PR, QRS, QT, QTc and ST of every beat too, for RESULTS as .csv or .json."
        ),
    ] = False,
    corrections: CorrectionsFile = None,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Judge beats or recordings: NORMAL, ABNORMAL or UNREADABLE, with the reason."""
    from ectopy.report.page_layout import PDF_SUFFIX, layout_ahead

    if report is not None and report.suffix.lower() == PDF_SUFFIX:
        context.with_resource(layout_ahead())

    from ectopy.analysis.patient_template import LEARNING_S
    from ectopy.analysis.shipped_detector import load_detector
    from ectopy.cli.batch import Job
    from ectopy.report import require_extra
    from ectopy.signal import FilterSettings

    bundle, sources = _detector_and_data([bundle, *(data or [])])
    if report is not None:
        require_extra()
    if waves and (output is None or output.name.lower().endswith(_NOT_TABLES)):
        raise SettingError("--waves adds columns to a table of beats: name one with -o results.csv or results.json.")
    check_learning(learning, baseline)
    # What does not exist yet may become a folder, of several recordings; it is checked when that is known.
    files = [path for path in (output, report) if path is not None and path.exists() and not path.is_dir()]
    check_outputs([*files, save_baseline, json], [bundle, baseline, corrections, *sources], overwrite)
    detector = load_detector(bundle, target_fpr)
    of_recordings = {
        "--rate": rate is not None,
        "--unit": unit is not None,
        "--notch": notch is not None,
        "--learning": learning != LEARNING_S,
        "--baseline": baseline is not None,
        "--save-baseline": save_baseline is not None,
        "--partial": partial,
        "--waves": waves,
        "--corrections": corrections is not None,
    }
    if detector.recordings is None:
        refuse_options(of_recordings, "is for recordings, which the shipped detector takes, and not for beats")
        check_outputs([output, report, json], [bundle, *sources], overwrite)
        _detect_beats(detector, bundle, sources, output, split, report, json)
        return
    refuse_options({"--split": split}, "names a part of a data set of beats, and not of a recording: leave it out")
    job = Job(
        Path(sources[0]),
        bundle,
        sampling_rate_hz=rate,
        unit=unit,
        target_fpr=target_fpr,
        filters=FilterSettings(notch_hz=notch),
        learning_s=learning,
        baseline=baseline,
        save_baseline=save_baseline,
        partial=partial,
        waves=waves,
        corrections=corrections,
    )
    detect_recordings(job, [Path(source) for source in sources], output, report, json, overwrite)


def _detector_and_data(arguments: list[str]) -> tuple[str, list[str]]:
    """Tell the detector from the data, in whichever order they are; the shipped one where none is named.

    A `SettingError` if nothing but a detector is named.
    """
    from ectopy.analysis.shipped_detector import SHIPPED

    named = [argument for argument in arguments if _is_detector(argument)]
    if len(named) == 1:
        arguments.remove(named[0])
        arguments.insert(0, named[0])
    elif not named and (len(arguments) == 1 or Path(arguments[0]).exists() or Path(f"{arguments[0]}.hea").exists()):
        arguments.insert(0, SHIPPED)
    bundle, *sources = arguments
    if not sources:
        raise SettingError(f"say what {bundle} is to judge: ectopy detect {bundle} holter.edf.")
    return bundle, sources


def _is_detector(argument: str) -> bool:
    from ectopy.analysis.shipped_detector import SHIPPED
    from ectopy.detector.bundle import is_bundle

    return argument == SHIPPED or Path(argument).suffix == ".ectopy" or is_bundle(Path(argument))


def _detect_beats(
    detector: Detector,
    bundle: str,
    sources: list[str],
    output: Path | None,
    split: str | None,
    report: Path | None,
    json: str | None,
) -> None:
    from ectopy.analysis.shipped_detector import digest
    from ectopy.cli.output import terminal
    from ectopy.detector.beat_results import check_suffix, write_results
    from ectopy.formats.content import is_recording

    check_report(report)
    if output:
        check_suffix(output)
    screen = terminal.screen(json)
    if len(sources) != 1 or is_recording(Path(sources[0])):
        raise SettingError(
            "this detector takes one data set or file of beats at a time; 'ambulatory' takes recordings."
        )
    beats = _load(sources[0], split, "test")
    with terminal.step_progress("judging", "judging") as progress:
        explanation = detector.explain(beats, progress)
    if output:
        write_results(output, beats, explanation, digest(bundle))
        screen.print(f"Wrote {output}.")
    if report:
        from ectopy.report import detection_report

        detection_report(report, detector, beats, explanation.detection)
        screen.print(f"Wrote {report}.")
    terminal.emit(json, terminal.verdict_counts(explanation.detection))
    screen.print(terminal.verdict_table(explanation))


def detect_recordings(
    job: Job,
    paths: list[Path],
    output: Path | None,
    report: Path | None,
    json: str | None,
    overwrite: bool,
    report_suffix: str = ".html",
) -> None:
    """Judge recordings as the job says, print the figures of each and write its results and its report."""
    from ectopy.cli.batch import expand_jobs, run_all
    from ectopy.cli.output import terminal
    from ectopy.cli.output.analysis import analysis_table
    from ectopy.formats.recording_files import find_recordings
    from ectopy.report.report_style import check_report as check_recording_report

    screen = terminal.screen(json)
    jobs = expand_jobs(job, find_recordings(paths), output, report, report_suffix)
    outputs = [path for each in jobs for path in (each.results, each.report, each.save_baseline)]
    check_outputs([*outputs, json], [job.bundle, job.baseline, job.corrections, *paths], overwrite)
    if jobs[0].report is not None:
        check_recording_report(jobs[0].report, job.report_style)
    with terminal.progress("reading") as progress:
        outcomes = run_all(jobs, progress)
    summaries = [outcome.summary for outcome in outcomes if outcome.summary is not None]
    failed = {str(outcome.job.recording): outcome.error for outcome in outcomes if outcome.error is not None}
    terminal.emit(json, {"recordings": summaries, "failed": failed})
    if summaries:
        screen.print(analysis_table(summaries))
    for figures in summaries if len(summaries) > 1 else ():
        for note in figures["notes"]:
            screen.print(f"{figures['source']}: {note}")
    for each in jobs:
        for path in (each.results, each.report, each.save_baseline):
            if path is not None and str(each.recording) not in failed:
                screen.print(f"Wrote {path}.")
    if failed:
        raise DataError("; ".join(error.removesuffix(".") for error in failed.values()) + ".")


def info(bundle: Bundle, json: Json = None, overwrite: Overwrite = False) -> None:
    """Check a bundle and print its training data, its settings, and the beats that it accepts."""
    from ectopy.analysis.shipped_detector import digest, load_detector
    from ectopy.cli.output import terminal

    check_outputs([json], [bundle], overwrite)
    detector = load_detector(bundle)
    terminal.emit(json, {**terminal.facts(detector), "bundle_digest": digest(bundle)})
    terminal.screen(json).print(terminal.facts_table(detector))


def _load(data: str, split: str | None, usual: str) -> Beats:
    from ectopy import datasets

    return datasets.load(data, split or (usual if data in datasets.NAMES else None))


def train_and_save(
    training: Beats,
    output: Path,
    screen: Console,
    settings: TrainingSettings | None = None,
    rule: ThresholdRule | None = None,
    seed: int = 0,
) -> Detector:
    """Train with progress, and save the detector as a bundle."""
    from ectopy.cli.output import terminal
    from ectopy.training.training import labels_look_reversed, require_trainable, train

    require_trainable(training, settings, rule)
    screen.print(terminal.about_training(training))
    with terminal.step_progress("starting TensorFlow", "training") as progress:
        detector = train(training, settings, rule, random_state=seed, progress=progress)
    detector.save(output)
    if labels_look_reversed(detector):
        share = detector.card.metrics["abnormal_training_beats_flagged"]
        sys.stderr.write(
            f"ectopy: warning: of the beats labelled abnormal only {share:.0%} score above the threshold; if 1 means "
            "abnormal in these labels, they are reversed: Ectopy takes 1 for normal, and 0 and 2 to 5 for abnormal.\n"
        )
    return detector


def _train_ambulatory(
    folders: list[Path],
    corrected: list[Path],
    output: Path,
    screen: Console,
    settings: TrainingSettings,
    rule: ThresholdRule,
    seed: int,
) -> Detector:
    from ectopy.analysis.shipped_detector import load_ambulatory
    from ectopy.cli.output import terminal
    from ectopy.cli.output.sources import sources_table
    from ectopy.training.corrected_recordings import read_corrected
    from ectopy.training.load_tensorflow import load_tensorflow
    from ectopy.training.recording_examples import collect_examples, examples_of, find_sources, summarise_examples
    from ectopy.training.train_ambulatory import train_ambulatory

    places = find_sources(folders)
    load_tensorflow()  # reading takes minutes: what is missing is told before
    with terminal.progress("reading") as progress:
        # Those of the user come first: what is wrong with them is said before minutes of reading.
        own = [examples_of(read_corrected(path, load_ambulatory()), seed) for path in corrected]
        examples = collect_examples(places, seed, progress) + own
    screen.print(sources_table(summarise_examples(examples)))
    with terminal.step_progress("learning intervals", "training") as progress:
        detector = train_ambulatory(examples, settings, rule, random_state=seed, progress=progress)
    detector.save(output)
    return detector


def _train_waves(folders: list[Path], output: Path, screen: Console, seed: int) -> None:
    from ectopy.cli.output import terminal
    from ectopy.training.load_tensorflow import load_tensorflow
    from ectopy.training.train_waves import collect_people, train_waves

    if len(folders) != 1:
        raise SettingError("'waves' needs one folder that holds qtdb, ludb and cinc2017: --data DIR.")
    load_tensorflow()  # reading takes minutes: what is missing is told before
    with terminal.progress("reading") as progress:
        people = collect_people(folders[0], progress)
    screen.print(f"Learning from {len(people)} recordings, {sum(map(len, people)):,} beats and leads.")
    with terminal.step_progress("starting TensorFlow", "training") as progress:
        train_waves(people, seed, progress).save(output)


def evaluate_and_show(detector: Detector, beats: Beats, json: str | None, report: Path | None, screen: Console) -> None:
    """Judge labelled beats, and print how many verdicts agree with the labels."""
    from ectopy.cli.output import terminal
    from ectopy.evaluation import evaluate

    with terminal.step_progress("judging", "judging") as progress:
        evaluation = evaluate(detector, beats, progress)
    if report:
        from ectopy.report import evaluation_report

        evaluation_report(report, detector, evaluation)
        screen.print(f"Wrote {report}.")
    terminal.emit(json, evaluation.summary())
    screen.print(terminal.evaluation_table(evaluation))
