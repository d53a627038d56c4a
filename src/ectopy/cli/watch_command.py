"""Watch an ECG as it comes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ectopy.cli.options import (
    Baseline,
    Learning,
    Overwrite,
    Partial,
    Rate,
    Report,
    SaveBaseline,
    Unit,
    check_learning,
    check_report,
    refuse_options,
)
from ectopy.cli.output_files import STANDARD_STREAM, check_outputs
from ectopy.errors import DataError, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ectopy.cli.watch_options import WatchOptions
    from ectopy.monitor import Input


def watch(
    recording: Annotated[
        str,
        typer.Argument(
            help="A recording, as for 'inspect', replayed as if it were live; or '-': standard input at --rate, a line "
            "for each sample with one number for each lead or pulse wave, separated by commas, semicolons, tabs or "
            "blanks."
        ),
    ],
    rate: Rate = None,
    unit: Unit = None,
    leads: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="For '-': the leads, and pulse waves such as PLETH or 'ABP (mmHg)'."),
    ] = None,
    speed: Annotated[float | None, typer.Option(help="Times real time; 1 if not given.", show_default=False)] = None,
    fast: Annotated[bool, typer.Option("--fast", help="As fast as can be.")] = False,
    chunk: Annotated[float, typer.Option(help="Seconds of signal that come at once, above 0 to 60.")] = 1.0,
    from_s: Annotated[
        float, typer.Option("--from", metavar="S", help="Report from this second on; the part before is only watched.")
    ] = 0.0,
    to_s: Annotated[float | None, typer.Option("--to", metavar="S", help="End here.", show_default=False)] = None,
    profile: Annotated[str, typer.Option(help="Of limits: ward, ambulatory, exercise, child or infant.")] = "ward",
    age: Annotated[float | None, typer.Option(help="Years, for 'exercise', 'child' and 'infant'.")] = None,
    resting_rate: Annotated[float | None, typer.Option(help="Beats per minute at rest, for 'exercise'.")] = None,
    limit: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Another limit, such as high_bpm=120; repeatable.")
    ] = None,
    learning: Learning = 300.0,
    baseline: Baseline = None,
    save_baseline: SaveBaseline = None,
    bundle: Annotated[
        str, typer.Option(help="A file made by 'ectopy train'; 'ambulatory' = the shipped one.")
    ] = "ambulatory",
    partial: Partial = False,
    beats: Annotated[bool, typer.Option("--beats", help="Report every beat.")] = False,
    json: Annotated[bool, typer.Option("--json", help="A JSON object a line for every event.")] = False,
    report: Report = None,
    overwrite: Overwrite = False,
) -> None:
    """Watch an ECG as it comes and raise alarms; each names the command that shows it again."""
    from ectopy.cli.watch_options import WatchOptions, check_person, parse_limits

    check_report(report)
    check_outputs([report, save_baseline], [recording, baseline, bundle], overwrite)
    limits = parse_limits(limit or ())
    check_learning(learning, baseline)
    check_person(profile, {"--age": age, "--resting-rate": resting_rate})
    options = WatchOptions(
        recording, rate, unit, profile, age, resting_rate, limits, learning, baseline, bundle, partial
    )
    if options.live:
        if speed is not None or fast or from_s or to_s is not None:
            raise SettingError("standard input comes as it comes: --speed, --fast, --from and --to are for recordings.")
        refuse_options(
            {"--partial": partial}, "is for a file that is not whole, and not for standard input: leave it out"
        )
        inputs = _standard_input(options, leads, chunk)
    else:
        if leads is not None:
            raise SettingError("a recording names its leads: --leads is for standard input.")
        if speed is not None and fast:
            raise SettingError("choose between --speed and --fast.")
        inputs = _replayed(options, chunk, from_s, to_s, speed=None if fast else 1.0 if speed is None else speed)
    if not _watch(options, inputs, from_s, beats, json, report, save_baseline):
        raise typer.Exit(130)


def _standard_input(options: WatchOptions, leads: str | None, chunk_s: float) -> Iterator[Input]:
    import time

    from ectopy.formats.leads import Stated
    from ectopy.formats.sample_stream import SampleLines
    from ectopy.monitor.input_sources import arriving, from_lines

    if options.sampling_rate_hz is None:
        raise SettingError("standard input states no sampling rate: give it in Hz with --rate.")
    names = [] if leads is None else [name.strip() for name in leads.split(",")]
    lines = SampleLines(Stated(None, options.unit), names, lambda text: print(f"ectopy: {text}", file=sys.stderr))
    return from_lines(arriving(0), lines, options.sampling_rate_hz, chunk_s, time.monotonic)


def _replayed(
    options: WatchOptions, chunk_s: float, from_s: float, to_s: float | None, speed: float | None
) -> Iterator[Input]:
    from ectopy.cli.output import terminal
    from ectopy.formats import read
    from ectopy.monitor.input_sources import from_recording
    from ectopy.monitor.replay import paced

    recording = read(
        options.source, sampling_rate_hz=options.sampling_rate_hz, unit=options.unit, partial=options.partial
    )
    terminal.warn(recording.notes)
    if not 0 <= from_s < recording.duration_s:
        raise SettingError(f"--from must lie in the recording, 0 to {recording.duration_s:g} s, not {from_s:g}.")
    if to_s is not None and not to_s > from_s:
        raise SettingError(f"--to must be more than --from, {from_s:g} s, not {to_s:g}.")
    chunks = from_recording(recording, chunk_s, to_s)
    return chunks if speed is None else paced(chunks, speed, from_s)


def _watch(
    options: WatchOptions,
    inputs: Iterator[Input],
    from_s: float,
    beats: bool,
    json: bool,
    report: Path | None,
    save_baseline: Path | None,
) -> bool:
    """Watch until the end and print a summary; return False after Ctrl-C."""
    from ectopy.analysis import shipped_detector
    from ectopy.analysis.patient_template import PatientTemplate
    from ectopy.cli.output import terminal
    from ectopy.cli.output.watch import detector_text, event_json, event_text, summary_table
    from ectopy.monitor import AlarmChanged, BeatJudged, Monitor, MonitorState, status
    from ectopy.monitor.alarms import active
    from ectopy.monitor.event_counts import EventCounts
    from ectopy.monitor.input_sources import watch
    from ectopy.processes import until_interrupted
    from ectopy.report.alarm_strips import AlarmStrips

    limits, digest = options.effective_limits(), shipped_detector.digest(options.bundle)
    monitor = Monitor.of(shipped_detector.load_detector(options.bundle), options.learning_s)
    state = MonitorState(limits, None if options.baseline is None else PatientTemplate.load(options.baseline))
    screen = terminal.screen(STANDARD_STREAM if json else None)
    counts, alarm_strips = EventCounts(), AlarmStrips(from_s)
    finished = False
    try:
        for step in watch(monitor, state, until_interrupted(inputs)):
            state = step.state
            events = [event for event in step.events if event.at_s >= from_s]
            counts.take(events)
            if report:
                alarm_strips.take(step)
            for event in events:
                replay = options.replay(event) if isinstance(event, AlarmChanged) else None
                if json:
                    print(event_json(event, digest, replay), flush=True)
                elif beats or not isinstance(event, BeatJudged):
                    screen.print(event_text(event, replay))
        finished = True
    except KeyboardInterrupt:
        screen.print("Ended by hand.")
    segment, learned = status.stream(state), status.baseline(state)
    if segment is None or learned is None:
        if finished and counts.rejected:
            raise DataError(f"{options.name} cannot be watched, every chunk of it was rejected: {counts.rejection}")
        return finished
    normal = learned.text
    detector = detector_text(options.bundle, digest)
    span_s = (from_s, max(state.clock_s, from_s))
    screen.print(summary_table(options.name, span_s, counts, active(state.alarms), normal, detector))
    if report:
        from ectopy.report.alarm_page import Watched, alarm_report

        alarm_strips.close()
        watched = Watched(
            options.name,
            *span_s,
            segment.rate_hz,
            segment.leads,
            limits,
            normal,
            options.bundle,
            digest,
            options.replay,
        )
        alarm_report(report, watched, counts, alarm_strips)
        screen.print(f"Wrote {report}.")
    if save_baseline:
        if state.normal is None:
            raise DataError(
                f"{options.name}: the patient's normal is not learned to the end and cannot be saved. {normal}"
            )
        state.normal.save(save_baseline)
        screen.print(f"Wrote {save_baseline}.")
    return finished
