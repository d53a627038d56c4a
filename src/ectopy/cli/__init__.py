"""The command line: parse, call, print."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import Annotated, NoReturn

import typer

from ectopy import __version__
from ectopy.cli import (
    demo_command,
    detector_commands,
    recording_commands,
    report_command,
    service_commands,
    watch_command,
)
from ectopy.cli.alarm_commands import alarms_app, what_if
from ectopy.cli.benchmark_commands import benchmark_app
from ectopy.cli.cluster_commands import cluster_app
from ectopy.cli.fetch_commands import fetch_app
from ectopy.disclaimers import STATEMENT
from ectopy.errors import EctopyError, MissingExtraError, printable

# Errors of what Python calls, too, name an argument and its option: "with unit= (--unit on the command line)".
_ARGUMENT, _OPTION = re.compile(r"\w+=(?:True)? \((--[\w-]+) on the command line\)"), r"\1"

app = typer.Typer(
    name="ectopy",
    help="Learns what a normal heartbeat looks like and says when one is not.\n\n" + STATEMENT,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo_command.demo)
app.add_typer(fetch_app, name="fetch")
app.command()(detector_commands.train)
app.command()(detector_commands.evaluate)
app.command()(detector_commands.detect)
app.command()(report_command.report)
app.command()(detector_commands.info)
app.command()(recording_commands.inspect)
app.command()(recording_commands.ec57)
app.command()(watch_command.watch)
app.add_typer(benchmark_app, name="benchmark")
app.add_typer(cluster_app, name="cluster")
app.add_typer(alarms_app, name="alarms")
app.command("what-if")(what_if)
app.command()(service_commands.serve)
app.command()(service_commands.replay)


def _version(requested: bool) -> None:
    if requested:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@cache
def _command() -> typer.core.TyperGroup:
    """The command with all commands below it."""
    return typer.main.get_group(app)


def main() -> None:
    """Run the command line; an expected error is one sentence on stderr and exit status 2."""
    try:
        sys.exit(_command()(prog_name="ectopy", standalone_mode=False))
    except typer.TyperException as error:
        _end(_usage_text(error))
    except EctopyError as error:
        _end(str(error))
    except ModuleNotFoundError as error:
        missing = MissingExtraError.behind(error, "this command")
        if missing is None:
            raise
        _end(str(missing))


def _usage_text(error: typer.TyperException) -> str:
    """What is wrong with the words on the command line, and which command says what would be right.

    Empty where a group of commands was called without one, and its help has been printed.
    """
    text = " ".join(error.format_message().split())
    if not text:
        return ""
    context: typer.Context | None = getattr(error, "ctx", None)
    hint = "" if context is None else f" See '{context.command_path} --help'."
    return f"{text[0].lower()}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}{hint}"


def _end(text: str) -> NoReturn:
    # Names of files, leads and patients come from outside.
    if text:
        sys.stderr.write(f"ectopy: {printable(_ARGUMENT.sub(_OPTION, text))}\n")
    sys.exit(2)
