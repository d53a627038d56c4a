"""Damaged inputs of every kind end in an error of the family, soon and with little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support import fuzzing


def fuzz(*arguments: str) -> dict:
    """A run in a process of its own, whose memory is that of the readers."""
    command = [sys.executable, "-m", "support.fuzzing", *arguments]
    tests = Path(fuzzing.__file__).parents[1]
    done = subprocess.run(command, cwd=tests, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(result: dict) -> None:
    assert result["findings"] == []
    assert result["peak_mb"] - result["start_mb"] < fuzzing.MOST_MEMORY_MB
    for kind, outcomes in result["outcomes"].items():
        assert kind == "lines" or outcomes["refused"] > 0, kind  # lines are left out, not refused


def test_damaged_inputs_are_read_or_refused():
    result = fuzz("--count", "45", "--seed", "7")
    check(result)
    assert sum(outcomes["read"] for outcomes in result["outcomes"].values()) > 100


@pytest.mark.long
def test_damaged_inputs_are_read_or_refused_for_ten_minutes():
    check(fuzz("--seconds", "600", "--seed", "1"))


def test_what_is_wrong_is_found(tmp_path: Path):
    def broken(folder: Path, chance: object) -> object:
        raise KeyError("a fault")

    subject = fuzzing.Subject({"file": b"12345"}, False, broken)
    assert fuzzing.attempt(subject, "broken", 0, 0, tmp_path).startswith("KeyError at test_fuzz.py")
