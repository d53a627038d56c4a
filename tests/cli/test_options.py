"""Options that would mean nothing beside others, or for what is read, are refused before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command_line import assert_refused

TRAIN = ("train", "simulated", "-o", "own.ectopy")
WAVES = ("train", "waves", "--data", ".", "-o", "own.npz")
AMBULATORY = ("train", "ambulatory", "-o", "own.ectopy")


@pytest.mark.parametrize(
    ("command", "option", "words"),
    [
        (TRAIN, ("--k-std", 2), ("mean+kstd",)),
        (TRAIN, ("--data", "."), ("'ambulatory' and 'waves'",)),
        (TRAIN, ("--from-corrected", "holter.edf"), ("'ambulatory'",)),
        ((*TRAIN, "--threshold", "max"), ("--target-fpr", 0.02), ("--threshold max",)),
        ((*TRAIN, "--threshold", "mean+kstd"), ("--target-fpr", 0.02), ("--threshold mean+kstd",)),
        (AMBULATORY, ("--split", "train"), ("whole databases",)),
        (WAVES, ("--split", "train"), ("'waves'",)),
        (WAVES, ("--architecture", "tutorial"), ("'waves'",)),
        (WAVES, ("--threshold", "max"), ("'waves'",)),
        (WAVES, ("--members", 3), ("'waves'",)),
        (WAVES, ("--max-steps", 10), ("'waves'",)),
        (WAVES, ("--json", "-"), ("'waves'",)),
        (("detect", "a.edf", "--baseline", "b.npz"), ("--learning", 60), ("--baseline",)),
        (("report", "a.edf", "--baseline", "b.npz"), ("--learning", 60), ("--baseline",)),
        (("detect", "a.edf", "-o", "a.fhir.json"), ("--waves",), ("results.csv",)),
        (("what-if", "bed-7", "--stored"), ("--rate", 250), ("is for recordings",)),
        (("what-if", "bed-7", "--stored"), ("--unit", "mV"), ("is for recordings",)),
        (("what-if", "bed-7", "--stored"), ("--partial",), ("is for recordings",)),
        (("what-if", "a.edf", "--limit", "high_bpm=110"), ("--store", "a.db"), ("--stored",)),
        (("demo", "--live"), ("--folder", "here"), ("--live",)),
        (("demo", "--live"), ("--report", "page.html"), ("--live",)),
        (("demo", "--live"), ("--json", "-"), ("--live",)),
        (("demo", "--live"), ("--overwrite",), ("--live",)),
        (("benchmark", "monitor", "--growth", "growth.svg"), ("--patients", 10), ("--growth",)),
    ],
)
def test_an_option_that_would_mean_nothing_is_refused(
    ectopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple, option: tuple, words: tuple[str, ...]
):
    monkeypatch.chdir(tmp_path)
    assert_refused(ectopy(*command, *option), option[0], *words)
    assert not list(tmp_path.iterdir())


def test_an_annotator_is_refused_for_an_annotation_file(ectopy, tmp_path: Path):
    (tmp_path / "a.ecto").touch()
    assert_refused(ectopy("ec57", tmp_path / "a.ecto", tmp_path / "a.ecto", "--test-ext", "ecto"), "--test-ext", "file")
