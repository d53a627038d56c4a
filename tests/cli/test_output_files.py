"""No command destroys what it reads, nor what somebody else has made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import typer

from ectopy.beats import Beats
from ectopy.benchmarks.capacity_plot import growth_plot
from ectopy.cli.output_files import check_outputs
from ectopy.datasets import simulate_recording
from ectopy.datasets.data_folders import DATA_VARIABLE
from ectopy.errors import OutputError
from ectopy.files import GENERATOR, written_by_ectopy
from ectopy.formats import write_annotations
from ectopy.recording import Annotations
from support.command_line import (
    BENCHMARKS_OF_RECORDS,
    DATA_SETS,
    CommandResult,
    assert_refused,
    assert_success,
    commands,
)

pytest.importorskip("fastapi")

# Every parameter that can name a file is an output, an input, or listed as something else: a new one has to be sorted.
OUTPUTS = {"output", "report", "json", "save_baseline", "growth", "folder"}
INPUTS = {
    "bundle", "data", "recording", "reference", "test", "baseline", "source", "store", "targets", "tls_certificate",
    "tls_key", "home", "kafka_config", "corrections", "logo", "recordings",
}  # fmt: skip
OTHERS = {
    "architecture", "threshold", "split", "unit", "leads", "profile", "limit", "protocol", "methods", "peers",
    "reference_ext", "test_ext", "label_map", "patient", "why", "user", "host", "url", "key", "patients",
    "left_out", "language", "paper", "brokers", "input_topic", "output_topic",
    "checkpoint", "to", "master", "detector", "jars", "shards", "cluster", "cluster_input", "cluster_output",
}  # fmt: skip
ANSWERS_NOTHING = {"serve", "replay", "alarms acknowledge", "cluster watch", "cluster repartition"}
"""Commands without an output."""

# What each command needs beside its outputs; "@" = a file that it reads.
COMMANDS = {
    "demo": (),
    **{f"fetch {name}": () for name in DATA_SETS},
    "train": ("@", "-o", "new"),
    "evaluate": ("@", "@"),
    "detect": ("ambulatory", "@"),
    "report": ("@",),
    "info": ("@",),
    "inspect": ("@",),
    "ec57": ("@", "@"),
    "watch": ("@",),
    "benchmark ecg5000": (),
    **{f"benchmark {name}": ("--data", "@folder") for name in BENCHMARKS_OF_RECORDS},
    "benchmark strangers": ("--data", "@folder"),
    "benchmark archive": ("--data", "@folder"),
    "benchmark holter": ("--hours", "0.1"),
    "benchmark monitor": ("--store", "@"),
    "benchmark service": (),
    "benchmark cluster": ("--brokers", "127.0.0.1:1", "--jars", "@folder"),
    "benchmark speed": ("--bundle", "@"),
    "alarms list": ("--store", "@"),
    "alarms show": ("bed 3", "1", "--store", "@"),
    "what-if": ("@", "--limit", "high_bpm=110"),
    "cluster detect": ("@", "-o", "tables"),
}
EXTRA_INPUTS = {
    *(("detect", option) for option in ("--baseline", "--corrections")),
    *(("report", option) for option in ("--baseline", "--corrections", "--logo")),
    ("watch", "--baseline"),
    ("watch", "--bundle"),
    ("what-if", "--store"),
}


@cache
def parameters(command: Callable[..., None]) -> dict[str, tuple[Any, str]]:
    """Of each parameter by its name: its type, and how it is called on the command line."""
    found = {}
    for name, hint in get_type_hints(command, include_extras=True).items():
        if name == "return" or hint is typer.Context:
            continue
        kind, info = get_args(hint)
        options = [text for text in info.param_decls or () if text.startswith("--")]
        found[name] = (kind, options[0] if options else f"--{name.replace('_', '-')}")
    return found


def can_name_a_file(kind: Any) -> bool:
    return bool({str, Path, list[str]} & {kind, *get_args(kind)})


@cache
def output_options() -> list[tuple[str, str]]:
    """Each option of each command that names a file to write."""
    return [
        (name, option)
        for name, command in commands()
        for parameter, (kind, option) in parameters(command).items()
        if can_name_a_file(kind) and parameter in OUTPUTS - {"folder"}
    ]


def test_every_parameter_is_known_to_this_test():
    for name, command in commands():
        files = {parameter for parameter, (kind, _) in parameters(command).items() if can_name_a_file(kind)}
        assert files <= OUTPUTS | INPUTS | OTHERS, name
        assert (name in ANSWERS_NOTHING) == (not files & OUTPUTS), name
        assert ("overwrite" in parameters(command)) == (name not in ANSWERS_NOTHING), name
    assert {name for name, _ in commands()} == COMMANDS.keys() | ANSWERS_NOTHING


class Place:
    """A folder with a file that a command is to read, and nothing in it that could be read to the end."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "held.hea"
        self.file.write_text("held 1 360 10\nheld.dat 16 200 11 0 0 0 0 II\n")
        self.content = self.file.read_bytes()
        self.folder = folder

    def arguments(self, name: str) -> list[str]:
        replaced = {"@": str(self.file), "@folder": str(self.folder), "new": str(self.folder / "new.ectopy")}
        return [*name.split(), *(replaced.get(word, word) for word in COMMANDS[name])]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path)


def assert_untouched(result: CommandResult, place: Place, words: str) -> None:
    assert_refused(result, "ectopy: cannot write ", words)
    assert place.file.read_bytes() == place.content


def with_option(arguments: list[str], option: str, value: object) -> list[str]:
    """The arguments with an option, which may replace the output that a command cannot be without."""
    if option == "--output" and "-o" in arguments:
        arguments = arguments[: arguments.index("-o")]
    return [*arguments, option, str(value)]


@pytest.mark.parametrize("link", ["itself", "symlink", "hard link"])
@pytest.mark.parametrize(
    ("name", "option"), [(name, option) for name, option in output_options() if {"@", "@folder"} & {*COMMANDS[name]}]
)
def test_no_output_replaces_what_is_read(ectopy, place: Place, name: str, option: str, link: str):
    target = place.file if link == "itself" else place.folder / "link.hea"
    if link == "symlink":
        target.symlink_to(place.file)
    elif link == "hard link":
        target.hardlink_to(place.file)
    result = ectopy(*with_option(place.arguments(name), option, target), "--overwrite")
    assert_untouched(result, place, "the command reads this file")


@pytest.mark.parametrize(
    ("name", "source", "option"),
    [
        (name, source, option)
        for name, source in sorted(EXTRA_INPUTS)
        for command, option in output_options()
        if command == name
    ],
)
def test_nor_what_is_read_beside(ectopy, place: Place, name: str, source: str, option: str):
    other = place.folder / "other.npz"
    shutil.copy(place.file, other)
    stored = ("--stored",) if source == "--store" else ()
    result = ectopy(*place.arguments(name), source, other, option, other, "--overwrite", *stored)
    assert_untouched(result, place, "the command reads this file")
    assert other.read_bytes() == place.content


@pytest.mark.parametrize(("name", "option"), output_options())
def test_no_output_replaces_the_file_of_somebody_else(ectopy, place: Place, name: str, option: str):
    mine = place.folder.parent / f"{place.folder.name}.mine"
    mine.write_text("the only copy, about ventricular ectopy 0.9")
    assert_untouched(ectopy(*with_option(place.arguments(name), option, mine)), place, "--overwrite")
    assert mine.read_text().startswith("the only copy")


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        (name, one, other)
        for name, _ in commands()
        for one, other in combinations([option for command, option in output_options() if command == name], 2)
    ],
)
def test_two_outputs_are_two_files(ectopy, place: Place, name: str, one: str, other: str):
    both = with_option(with_option(place.arguments(name), one, "both.csv"), other, place.folder / "both.csv")
    assert_untouched(ectopy(*both), place, "two outputs")
    assert not (place.folder / "both.csv").exists()


@pytest.mark.parametrize("option", ["-o", "--report", "--json"])
@pytest.mark.parametrize("name", ["detect", "evaluate", "info"])
def test_a_detector_is_not_replaced_by_what_it_says(ectopy, bundle: Path, tmp_path: Path, name: str, option: str):
    held = bundle.read_bytes()
    if name == "detect" or option == "--json" or (name, option) == ("evaluate", "--report"):
        data = () if name == "info" else ("simulated",)
        assert_refused(ectopy(name, bundle, *data, option, bundle, "--overwrite"), "the command reads this file")
    assert bundle.read_bytes() == held


# What belongs together


@pytest.mark.parametrize("output", ["rec.dat", "rec.atr", "rec.hea", "part.hea", "part.bin", "REC2.DAT"])
@pytest.mark.parametrize("source", ["rec", "rec.hea", "rec.dat", "rec.ecto", "."])
def test_a_record_is_all_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, output: str):
    monkeypatch.chdir(tmp_path)
    Path("rec.hea").write_text("# by hand\nrec/2 2 360 20\npart 10\n~ 10\nREC2.DAT 16 200 11 0 0 0 0 II\n")
    Path("part.hea").write_text("part 1 360 10\npart.bin 16 200 11 0 0 0 0 II\n")
    for name in ("rec.dat", "rec.atr", "part.bin", "REC2.DAT", "rec.ecto", "else.atr"):
        Path(name).write_text(name)
    with pytest.raises(OutputError, match="the command reads"):
        check_outputs([output], [source], overwrite=True)
    if source != ".":
        check_outputs(["else.atr"], [source], overwrite=True)
    check_outputs(["rec.csv"], [source])


def test_a_database_is_all_of_its_files(tmp_path: Path, ectopy):
    database = tmp_path / "ward.db"
    for end in ("", "-wal", "-shm"):
        Path(f"{database}{end}").write_text("pages")
    for store in (database, f"sqlite:///{database}"):
        assert_refused(
            ectopy("alarms", "list", "--store", store, "--json", f"{database}-wal", "--overwrite"),
            "the command reads this file",
        )
    assert Path(f"{database}-wal").read_text() == "pages"


@pytest.mark.parametrize(
    "command", [("train", "ecg5000", "-o"), ("benchmark", "ecg5000", "--json"), ("demo", "--json")]
)
def test_a_named_data_set_is_all_of_its_files(ectopy, tmp_path: Path, monkeypatch, command: tuple[str, ...]):
    file = tmp_path / "ecg5000" / "ECG5000_TRAIN.txt"
    file.parent.mkdir()
    file.write_text("beats")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert_refused(ectopy(*command, file, "--overwrite"), "the command reads this file")
    assert file.read_text() == "beats"


def test_the_shipped_detector_is_safe(ectopy, tmp_path: Path):
    from ectopy.analysis import shipped_detector

    shipped = Path(str(shipped_detector._BUNDLE))
    before = shipped.read_bytes()
    assert "the command reads" in ectopy("info", "ambulatory", "--json", shipped, "--overwrite").err
    assert shipped.read_bytes() == before


def test_what_comes_by_standard_input_is_safe(tmp_path: Path):
    signal = tmp_path / "signal.txt"
    signal.write_text("0.1\n" * 500)
    command = [sys.executable, "-m", "ectopy", "watch", "-", "--rate", "250", "--unit", "mV"]
    with signal.open("rb") as stream:
        done = subprocess.run(
            [*command, "--report", str(signal), "--overwrite"],
            stdin=stream,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2, done
    assert "the command reads this file" in done.stderr
    assert signal.read_text() == "0.1\n" * 500


def test_a_device_is_not_replaced_by_a_file(ectopy, bundle: Path):
    assert_refused(ectopy("info", bundle, "--json", os.devnull, "--overwrite"), "not a regular file")
    assert Path(os.devnull).is_char_device()


# What Ectopy wrote


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("record")
    recording = simulate_recording(90, rate_bpm=75)
    np.save(folder / "rec.npy", recording.signal)
    return folder / "rec.npy"


def test_ectopy_replaces_what_it_wrote(ectopy, record: Path, tmp_path: Path):
    stated = ("--rate", 360, "--unit", "mV")
    outputs = {
        "-o": [tmp_path / f"results{end}" for end in (".csv", ".json", ".edf")],
        "--report": [tmp_path / "page.html"],
        "--save-baseline": [tmp_path / "normal.npz"],
        "--json": [tmp_path / "figures.json"],
    }
    for option, paths in outputs.items():
        for path in paths:
            for _ in range(2):
                assert_success(ectopy("detect", "ambulatory", record, *stated, option, path))
            path.write_text("mine")
            assert "--overwrite" in ectopy("detect", "ambulatory", record, *stated, option, path).err
            assert path.read_text() == "mine"
            assert ectopy("detect", "ambulatory", record, *stated, option, path, "--overwrite").status == 0
            assert path.read_bytes() != b"mine"


def test_several_recordings_are_written_again_beside_their_sources(ectopy, tmp_path: Path):
    for name in ("one", "two"):
        recording = simulate_recording(40, rate_bpm=75)
        header = "time,II\n"
        rows = "\n".join(f"{row / 360:.6f},{value:.4f}" for row, value in enumerate(recording.signal[:, 0]))
        (tmp_path / f"{name}.csv").write_text(header + rows)
    sources = [tmp_path / "one.csv", tmp_path / "two.csv"]
    held = [source.read_bytes() for source in sources]
    results = tmp_path / "results"
    for _ in range(2):
        assert ectopy("detect", "ambulatory", *sources, "--unit", "mV", "-o", results).status == 0
    assert_refused(
        ectopy("detect", "ambulatory", *sources, "--unit", "mV", "-o", tmp_path, "--overwrite"), "the command reads"
    )
    assert [source.read_bytes() for source in sources] == held
    (results / "one.csv").write_text("mine")
    assert "--overwrite" in ectopy("detect", "ambulatory", *sources, "--unit", "mV", "-o", results).err


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_a_plot_says_who_drew_it(tmp_path: Path, suffix: str):
    path = tmp_path / f"plot{suffix}"
    growth_plot(path, [{"patients": 1, "cpu_share": 0.1, "latency_p95_s": 0.1, "realtime_factor": 1.0}])
    assert written_by_ectopy(path)


def test_bundles_and_json_say_who_wrote_them_and_a_wfdb_annotation_file_has_no_place_for_it(
    ectopy, bundle: Path, tmp_path: Path
):
    write_annotations(tmp_path / "rec.ecto", Annotations(np.array([7]), np.array(["N"])), 360)
    assert not written_by_ectopy(tmp_path / "rec.ecto")
    assert written_by_ectopy(bundle)
    assert json.loads(ectopy("info", bundle, "--json", "-").out)["generator"] == GENERATOR


def test_demo_leaves_a_foreign_page_alone(ectopy, tmp_path: Path, simulated: Beats):
    page = tmp_path / "demo" / "report.html"
    page.parent.mkdir()
    page.write_text("mine")
    assert "--overwrite" in ectopy("demo", "--folder", page.parent).err
    assert page.read_text() == "mine"
