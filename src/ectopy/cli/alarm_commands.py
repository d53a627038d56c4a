"""The commands about alarms: list, show and acknowledge what is stored; what other limits would have done."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ectopy.cli.options import Json, Overwrite, Partial, Rate, Unit, refuse_options
from ectopy.cli.output_files import check_outputs, database_files

if TYPE_CHECKING:
    from ectopy.service.storage import Store

alarms_app = typer.Typer(no_args_is_help=True, help="Alarms of the patients that are watched.")

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Database: an SQLite file, or a URL of PostgreSQL; by default the one of the service.",
        show_default=False,
    ),
]
Patient = Annotated[str, typer.Argument(help="Who.")]
Number = Annotated[int, typer.Argument(help="Number of the alarm, as in the list.")]


@alarms_app.command("list")
def list_alarms(
    patient: Annotated[str | None, typer.Option(help="Of one patient only.", show_default=False)] = None,
    include_ended: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The newest ones, so many at most.")] = 100,
    store: StoreOption = None,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Alarms that are active or latched, the newest first."""
    from ectopy.cli.output import terminal
    from ectopy.cli.output.alarms import alarm_table
    from ectopy.monitor.alarm_json import alarm_json

    check_outputs([json], _store_files(store), overwrite)
    with _open_store(store) as opened:
        _audit(opened, "listed alarms", patient or "")
        stored = opened.alarms.newest(patient, active_only=not include_ended, limit=limit)
    alarms = [alarm_json(row.alarm, row.patient, row.origin, row.origins) for row in stored]
    terminal.emit(json, {"alarms": alarms})
    screen = terminal.screen(json)
    screen.print(alarm_table(alarms) if alarms else "No alarm is active.")
    if len(alarms) == limit:
        screen.print(f"These are the newest {limit}; there may be older ones: --limit.")


@alarms_app.command("show")
def show_alarm(
    patient: Patient,
    number: Number,
    store: StoreOption = None,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Show one alarm: its reason, its evidence and its history."""
    from ectopy.cli.output import terminal
    from ectopy.cli.output.alarms import alarm_table, log_table
    from ectopy.monitor.alarm_json import alarm_json, transition_json
    from ectopy.monitor.alarm_log import verify
    from ectopy.monitor.conditions import CONDITIONS

    check_outputs([json], _store_files(store), overwrite)
    with _open_store(store) as opened:
        stored = opened.alarms.get(patient, number)
        _audit(opened, f"viewed alarm {number}", patient)
        log = opened.alarms.log(patient)
    broken, condition = verify(log), CONDITIONS[stored.alarm.condition]
    alarm = alarm_json(stored.alarm, patient, stored.origin, stored.origins)
    history = [transition_json(entry, stored.origin) for entry in log if entry.alarm.number == number]
    about = {"definition": condition.definition, "source": condition.source}
    terminal.emit(json, {**alarm, **about, "history": history, "log_broken_at": broken})
    screen = terminal.screen(json)
    screen.print(alarm_table([alarm]))
    screen.print(f"{condition.title}: {condition.definition} ({condition.source}).")
    screen.print(log_table(history))
    screen.print(
        "The log is whole." if broken is None else f"The log has been changed: entry {broken} is not as written."
    )


@alarms_app.command("acknowledge")
def acknowledge_alarm(
    patient: Patient,
    number: Number,
    why: Annotated[str, typer.Option(help="A comment, for the log.")] = "",
    user: Annotated[
        str | None, typer.Option("--who", help="Your name; the log has that of your account beside it.")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Tell the monitor that somebody has seen an alarm; it takes the order within a second or two, if it runs."""
    from ectopy.cli.output.terminal import screen
    from ectopy.monitor import Command, CommandKind
    from ectopy.service.access.audit import account
    from ectopy.service.storage import AuditEntry

    name = account(user)
    with _open_store(store) as opened:
        opened.alarms.get(patient, number)
        opened.audit.add(AuditEntry(time.time(), name, "acknowledged alarm", patient, f"{number} {why}".strip()))
        opened.inputs.enqueue_command(patient, Command(CommandKind.ACKNOWLEDGE, time.time(), name, why, number))
    screen(None).print(f"Handed over: {name} acknowledges alarm {number} of {patient}.")


def what_if(
    source: Annotated[
        str, typer.Argument(metavar="RECORDING|PATIENT", help="A recording, or with --stored the name of a patient.")
    ],
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Another limit, such as high_bpm=110; repeatable.", show_default=False),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help="Limits of another profile: ward, ambulatory, exercise, child or infant.", show_default=False
        ),
    ] = None,
    rate: Rate = None,
    unit: Unit = None,
    partial: Partial = False,
    stored: Annotated[bool, typer.Option("--stored", help="Take what the store has of a patient.")] = False,
    start_s: Annotated[float, typer.Option("--from", help="Compare alarms from this second on.")] = 0.0,
    end_s: Annotated[float | None, typer.Option("--to", help="And up to this one.", show_default=False)] = None,
    store: StoreOption = None,
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Watch a signal again with other limits: which alarms would be gained, and which lost."""
    from ectopy.analysis.shipped_detector import load_ambulatory
    from ectopy.cli.output import terminal
    from ectopy.cli.output.alarms import what_if_table
    from ectopy.cli.watch_options import parse_limits
    from ectopy.errors import SettingError
    from ectopy.formats import read
    from ectopy.monitor import Input, Limits, Monitor, MonitorState
    from ectopy.monitor.alarm_json import alarm_json
    from ectopy.monitor.limit_comparison import compare, raised
    from ectopy.monitor.replay import whole
    from ectopy.presentation import elapsed

    if limit is None and profile is None and not stored:
        raise SettingError("say what is to be otherwise: --limit NAME=VALUE or --profile NAME.")
    if store is not None and not stored:
        raise SettingError("--store names the database for --stored; add that, or leave it out.")
    if stored:
        of_files = {"--rate": rate is not None, "--unit": unit is not None, "--partial": partial}
        refuse_options(of_files, "is for recordings, and not for what is stored of a patient: leave it out")
    if start_s < 0 or (end_s is not None and end_s <= start_s):
        to = "the end" if end_s is None else f"{end_s:g} s"
        raise SettingError(f"--from must be 0 s or more and --to beyond it, not from {start_s:g} s to {to}.")
    check_outputs([json], _store_files(store) if stored else [source], overwrite)
    inputs: list[Input]
    if stored:
        with _open_store(store) as opened:
            _audit(opened, "watched again with other limits", source)
            inputs, limits = list(opened.inputs.all(source)), opened.inputs.state(source).limits
    else:
        recording = read(source, sampling_rate_hz=rate, unit=unit, partial=partial)
        terminal.warn(recording.notes)
        if start_s >= recording.duration_s:
            raise SettingError(f"--from must lie in the recording, 0 to {recording.duration_s:g} s, not {start_s:g}.")
        inputs, limits = list(whole(recording)), Limits.of("ward")
    changes = parse_limits(limit or [])
    of_person = (changes.get("age", limits.age), changes.get("resting_bpm", limits.resting_bpm))
    other = (limits if profile is None else Limits.of(profile, *of_person)).changed(changes)
    monitor = Monitor.of(load_ambulatory())
    runs = (raised(monitor, MonitorState(limits=these), inputs) for these in (limits, other))
    until_s = float("inf") if end_s is None else end_s
    result = compare(*([alarm for alarm in run if start_s <= alarm.raised_s <= until_s] for run in runs))
    patient = source if stored else ""
    groups = {"kept": result.common, "lost": result.missing, "gained": result.gained}
    terminal.emit(json, {name: [alarm_json(alarm, patient) for alarm in alarms] for name, alarms in groups.items()})
    screen = terminal.screen(json)
    for alarm in result.common:
        urgency = alarm.priority.word
        screen.print(f"{elapsed(alarm.raised_s, places=1)}  {urgency:6}  {alarm.condition}: {alarm.reading.text}")
    screen.print(what_if_table(result))
    screen.print(f"{len(result.common)} alarms stay, {len(result.missing)} are lost, {len(result.gained)} gained.")


def _store_files(store: str | None) -> list[Path]:
    """Files that are read for an answer from the database of the service."""
    from ectopy.service.settings import FILE, load_settings

    settings = load_settings(store=store)
    return [settings.home / FILE, *database_files(settings.store_url)]


def _audit(store: Store, action: str, patient: str) -> None:
    """Record the use of a command in the audit log."""
    from ectopy.service.access.audit import account
    from ectopy.service.storage import AuditEntry

    store.audit.add(AuditEntry(time.time(), account(), action, patient))


def _open_store(store: str | None) -> Store:
    """Open the database of the service; a missing one is an error, because an empty one would show no alarms."""
    from ectopy.errors import SettingError
    from ectopy.service.settings import load_settings
    from ectopy.service.storage import Store

    url = load_settings(store=store).store_url
    kind, _, file = url.partition(":///")
    if kind == "sqlite" and not Path(file).exists():
        raise SettingError(
            f"there is no database {file}; name that of the service with --store, or its folder with ECTOPY_HOME."
        )
    return Store.open(url)
