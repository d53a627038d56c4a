"""Every command of the command line, as Typer knows them, so that no test forgets one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import typer

from ectopy import cli

DATA_SETS = ("ecg5000", "mitdb", "cinc2015", "vfdb", "qtdb", "ludb", "cinc2017", "ltafdb")
"""What `ectopy fetch` knows."""
BENCHMARKS_OF_RECORDS = ("heartbeats", "mitdb", "alarms", "icu", "ventricular", "fibrillation", "rhythm", "waves")
"""Of `ectopy benchmark`, what reads the records in a folder."""


def commands(app: typer.Typer = cli.app, above: str = "") -> Iterator[tuple[str, Callable[..., None]]]:
    """Each command with its name and its function."""
    for command in app.registered_commands:
        assert command.callback
        yield f"{above}{command.name or command.callback.__name__}", command.callback
    for group in app.registered_groups:
        assert group.typer_instance
        yield from commands(group.typer_instance, f"{above}{group.name} ")


class CommandResult(NamedTuple):
    status: int
    out: str
    err: str


def assert_success(result: CommandResult) -> CommandResult:
    """Give the result of a command, which has to have done what was asked."""
    assert result.status == 0, result
    return result


def assert_refused(result: CommandResult, *words: str, out: str | None = "") -> None:
    """A mistake of the user: exit status 2 and one sentence with these words on standard error.

    Standard output is empty unless `out` is None, for a command that prints before it fails.
    """
    assert result.status == 2, result
    assert out is None or result.out == out
    assert result.err.startswith("ectopy: ")
    assert result.err.count("\n") == 1
    for word in words:
        assert word in result.err
