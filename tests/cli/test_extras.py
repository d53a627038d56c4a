"""Without an extra, every command and the client say in one sentence what to install."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest

from ectopy.datasets import simulate_recording
from ectopy.errors import EXTRAS
from support.command_line import BENCHMARKS_OF_RECORDS, DATA_SETS, commands

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"

# Runs commands in a process in which some packages are not to be found, as if they were not installed.
_RUN = """
import contextlib, io, json, sys

class Without:
    def __init__(self, finder, hidden):
        self.finder, self.hidden = finder, hidden

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in self.hidden else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

hidden, lines = json.loads(sys.argv[1])
sys.meta_path[:] = [Without(finder, hidden) for finder in sys.meta_path]
from ectopy.cli import main

answers = []
for line in lines:
    out, err, status = io.StringIO(), io.StringIO(), 0
    sys.argv = ["ectopy", *line]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        except BaseException as error:
            status = f"{type(error).__name__}: {error}"
    answers.append((status, out.getvalue(), err.getvalue()))
print(json.dumps(answers))
"""


def run(hidden: list[str], lines: list[list[str]], folder: Path) -> list[tuple[object, str, str]]:
    nowhere = {
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "ECTOPY_HOME": str(folder / "home"),
    }
    environment = {**os.environ, **nowhere, "XDG_CACHE_HOME": str(folder / "cache"), "ECTOPY_DATA": str(folder)}
    command = [sys.executable, "-c", _RUN, json.dumps([hidden, lines])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=True)
    return [tuple(answer) for answer in json.loads(done.stdout)]


def one_sentence(line: list[str], answer: tuple[object, str, str], extra: str) -> None:
    status, _, err = answer
    assert status == 2, (line, answer)
    assert re.fullmatch(r"ectopy: [^\n]*\n", err), (line, answer)
    assert f"pip install 'ectopy[{extra}]'" in err, (line, answer)
    assert f"pip install '.[{extra}]'" in err, (line, answer)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Path:
    """A folder with a short recording and a detector, and no data set."""
    folder = tmp_path_factory.mktemp("base")
    recording = simulate_recording(40, sampling_rate_hz=250, rate_bpm=75)
    np.save(folder / "rec.npy", recording.signal[:, :1])
    (folder / "held.hea").write_text("held 1 250 10\nheld.dat 16 200 11 0 0 0 0 II\n")
    (folder / "held.dat").write_bytes(bytes(20))
    (folder / "databases" / "cinc2017").mkdir(parents=True)
    (folder / "databases" / "cinc2017" / "REFERENCE.csv").write_text("A00001,N\n")
    (folder / "held.atr").write_bytes(bytes(2))
    (folder / "beats.parquet").write_bytes(b"PAR1")
    (folder / "ecg.dcm").write_bytes(bytes(128) + b"DICM")
    (folder / "own.ectopy").write_bytes(bundle.read_bytes())
    return folder


SIGNAL = ["rec.npy", "--rate", "250", "--unit", "mV"]

# What a command answers in a base installation: the extra that it names, or None where it needs none.
BASE = {
    "demo": ([["demo"], "report"], [["demo", "--live"], "service"], [["demo", "--report", "x.html"], "report"]),
    **{f"fetch {name}": ([["fetch", name], None],) for name in DATA_SETS},
    "train": (
        [["train", "simulated", "-o", "x.ectopy"], "train"],
        [["train", "beats.parquet", "-o", "x.ectopy"], "formats"],
        [["train", "ambulatory", "-o", "x.ectopy"], None],
        [["train", "ambulatory", "-o", "x.ectopy", "--data", "databases"], "train"],
    ),
    "evaluate": (
        [["evaluate", "own.ectopy", "simulated"], None],
        [["evaluate", "own.ectopy", "simulated", "--report", "x.html"], "report"],
    ),
    "detect": (
        [["detect", *SIGNAL], None],
        [["detect", *SIGNAL, "-o", "beats.edf"], None],
        [["detect", "held.hea"], None],
        [["detect", "beats.parquet"], "formats"],
        [["detect", *SIGNAL, "--report", "x.html"], "report"],
    ),
    "report": ([["report", *SIGNAL], "report"],),
    "info": ([["info", "ambulatory"], None],),
    "inspect": (
        [["inspect", *SIGNAL], None],
        [["inspect", "held.hea"], None],
        [["inspect", "ecg.dcm"], "formats"],
        [["inspect", "s3://bucket/day.edf"], "remote"],
        [["inspect", "https://127.0.0.1:9/day.edf"], "remote"],
    ),
    "ec57": ([["ec57", "held.atr", "held.atr"], None],),
    "watch": (
        [["watch", *SIGNAL, "--fast"], None],
        [["watch", *SIGNAL, "--fast", "--json"], None],
        [["watch", *SIGNAL, "--fast", "--report", "x.html"], "report"],
        [["watch", "held.hea", "--fast"], None],
    ),
    "benchmark ecg5000": ([["benchmark", "ecg5000"], "train"],),
    **{f"benchmark {name}": ([["benchmark", name, "--data", "."], None],) for name in BENCHMARKS_OF_RECORDS},
    "benchmark strangers": ([["benchmark", "strangers", "--data", "databases"], "train"],),
    "benchmark holter": ([["benchmark", "holter", "--hours", "0.2"], None],),
    "benchmark archive": ([["benchmark", "archive", "--data", "."], "spark"],),
    "benchmark cluster": ([["benchmark", "cluster", "--brokers", "127.0.0.1:9"], "spark"],),
    "benchmark monitor": (
        [["benchmark", "monitor"], "service"],
        [["benchmark", "monitor", "--growth", "x.svg"], "service"],
    ),
    "benchmark service": ([["benchmark", "service"], "service"],),
    "benchmark speed": ([["benchmark", "speed", "--bundle", "own.ectopy"], None], [["benchmark", "speed"], "train"]),
    "alarms list": ([["alarms", "list"], "service"],),
    "alarms show": ([["alarms", "show", "bed 3", "1"], "service"],),
    "alarms acknowledge": ([["alarms", "acknowledge", "bed 3", "1"], "service"],),
    "what-if": (
        [["what-if", *SIGNAL, "--limit", "high_bpm=110"], None],
        [["what-if", "bed 3", "--stored", "--limit", "high_bpm=110"], "service"],
    ),
    "serve": ([["serve"], "service"],),
    "cluster detect": ([["cluster", "detect", "held.hea", "-o", "x"], "spark"],),
    "replay": ([["replay", *SIGNAL, "--key", "ectopy_0"], "service"],),
    "cluster repartition": ([["cluster", "repartition", "--checkpoint", "a", "--to", "b", "--shards", "8"], "spark"],),
    "cluster watch": (
        [["cluster", "watch", "--brokers", "x:1", "--input", "a", "--output", "b", "--checkpoint", "c"], "spark"],
    ),
}


def test_every_command_answers_in_a_base_installation(folder: Path):
    assert BASE.keys() == {name for name, _ in commands()}
    lines = [(line, extra) for examples in BASE.values() for line, extra in examples]
    hidden = [package for packages in EXTRAS.values() for package in packages]
    answers = run(hidden, [line for line, _ in lines], folder)
    for (line, extra), answer in zip(lines, answers, strict=True):
        status, _, err = answer
        if extra is None:
            assert status in (0, 2), (line, answer)
            assert "extra" not in err, (line, answer)
            assert status == 0 or re.fullmatch(r"ectopy: [^\n]*\n", err), (line, answer)
        else:
            one_sentence(line, answer, extra)
    working = {line[0] for (line, extra), (status, *_) in zip(lines, answers, strict=True) if status == 0}
    assert {"detect", "info", "inspect", "watch", "evaluate", "benchmark"} <= working


@pytest.mark.parametrize("extra", [extra for extra in EXTRAS if extra not in ("peers", "postgres")])
def test_every_command_names_the_one_extra_that_is_missing(folder: Path, extra: str):
    lines = [line for examples in BASE.values() for line, needed in examples if needed == extra]
    if extra == "service":
        lines.append(["alarms", "list", "--store", "postgresql://127.0.0.1:9/x"])
    for line, answer in zip(lines, run(list(EXTRAS[extra]), lines, folder), strict=True):
        one_sentence(line, answer, extra)


def test_postgresql_names_its_extra(folder: Path):
    line = ["alarms", "list", "--store", "postgresql://127.0.0.1:9/x"]
    (answer,) = run(["psycopg"], [line], folder)
    one_sentence(line, answer, "postgres")


_SOME = {"sqlalchemy", "fastapi", "httpx"}


@pytest.mark.parametrize(
    "package",
    [name if name in _SOME else pytest.param(name, marks=pytest.mark.long) for name in EXTRAS["service"]],
)
def test_each_package_of_the_service_is_known_to_belong_to_it(folder: Path, package: str):
    lines = [line for name in ("serve", "replay", "alarms list") for line, _ in BASE[name]]
    answers = run([package], [line for line in lines if line[0] != "serve"], folder)
    for status, _, err in answers:
        assert status == 2, (package, err)
        assert err.startswith("ectopy: ")
        assert err.count("\n") == 1


@pytest.mark.parametrize("package", ["httpx", "websockets"])
def test_the_client_names_its_extra(package: str):
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from ectopy.errors import MissingExtraError\n"
        "try:\n    import ectopy.client\nexcept MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("the client needs the 'service' extra: pip install 'ectopy[service]'")


def test_the_packages_of_the_extras_are_those_of_the_project():
    declared = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    imports: dict[str, set[str]] = {}
    for package, distributions in packages_distributions().items():
        for distribution in distributions:
            imports.setdefault(distribution.lower().replace("_", "-"), set()).add(package)
    assert declared.keys() - EXTRAS.keys() == {"all"}
    for extra, packages in EXTRAS.items():
        for requirement in declared[extra]:
            name = re.match(r"[\w-]+", requirement).group().lower()
            if name in imports:
                assert imports[name] & {*packages, *EXTRAS["formats"]}, requirement
