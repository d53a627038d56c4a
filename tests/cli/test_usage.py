"""Words on the command line that no command takes: one line each, as for every other error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.command_line import assert_refused, assert_success, commands
from support.edf_files import edf


@pytest.mark.parametrize(
    ("words", "says", "command"),
    [
        (("nothing",), "no such command 'nothing'", "ectopy"),
        (("watc", "a.edf"), "Did you mean 'watch'?", "ectopy"),
        (("inspect",), "missing argument", "ectopy inspect"),
        (("inspect", "a.edf", "b.edf"), "unexpected extra argument", "ectopy inspect"),
        (("inspect", "a.edf", "--rat", 250), "no such option: --rat", "ectopy inspect"),
        (("inspect", "a.edf", "--rate", "fast"), "invalid value for '--rate'", "ectopy inspect"),
        (("alarms", "show", "bed-7", "two"), "invalid value", "ectopy alarms show"),
        (("alarms", "list", "--limit", 0), "invalid value for '--limit'", "ectopy alarms list"),
    ],
)
def test_what_no_command_takes_is_said_in_one_line(ectopy, words: tuple, says: str, command: str):
    assert_refused(ectopy(*words), says, f"See '{command} --help'.")


def test_an_option_without_its_value_is_named(ectopy):
    assert_refused(ectopy("inspect", "a.edf", "--rate"), "option '--rate' requires an argument.")


def test_every_command_refuses_an_option_that_it_does_not_have(ectopy):
    for name, _ in commands():
        assert_refused(ectopy(*name.split(), "--no-such-option"), "--no-such-option", f"See 'ectopy {name} --help'.")


def test_what_a_file_does_not_state_is_asked_for_by_its_option(ectopy, tmp_path: Path):
    np.save(tmp_path / "rec.npy", np.zeros((1000, 1), np.float32))
    path = edf(tmp_path / "rec.edf")
    path.write_bytes(path.read_bytes()[:-500])
    for words, says in (
        (("rec.npy", "--unit", "mV"), "states no sampling rate: give it in Hz with --rate.\n"),
        (("rec.npy", "--rate", 250), "states no unit for the lead 'lead 1': give V, mV or uV with --unit.\n"),
        (("rec.edf",), "or read the intact part with --partial.\n"),
    ):
        name, *options = words
        for command in ("inspect", "detect"):
            assert_refused(ectopy(command, tmp_path / name, *options), says)


@pytest.mark.parametrize("words", [(), ("alarms",), ("benchmark",), ("cluster",), ("fetch",)])
def test_a_group_without_a_command_prints_its_help(ectopy, words: tuple[str, ...]):
    result = ectopy(*words)
    assert (result.status, result.err) == (2, "")
    assert "Commands" in result.out


def test_help_and_version_succeed(ectopy):
    assert "Usage" in assert_success(ectopy("watch", "--help")).out
    assert assert_success(ectopy("--version")).out
