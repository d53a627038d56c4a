"""What the documentation tells people to type works as it is written, against a real server."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ectopy.client import Client
from ectopy.client.protocol import read
from ectopy.datasets import simulate_recording
from ectopy.datasets.simulated import Episode
from ectopy.formats.leads import millivolt
from ectopy.service.notify import load_targets
from support.server import Service, running
from support.waiting import PATIENCE_S

DOCS = Path(__file__).parents[2] / "docs"
ADDRESS = "127.0.0.1:8765"
COMMANDS = [
    (page, command.replace("\\\n", ""))
    for page in ("send", "receive")
    for command in re.findall(r"^    (curl (?:.*\\\n)*.*)$", (DOCS / f"{page}.md").read_text(), re.MULTILINE)
]
ENDLESS = "--no-buffer"
STILL = simulate_recording(60, episodes=[Episode("asystole", 40, 8)], random_state=1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("home")) as service:
        with Client(service.url, service.key) as client:
            client.admit("bed 3")
            with client.stream("bed 3", STILL.sampling_rate_hz, STILL.leads) as stream:
                stream.send(STILL.signal)
        yield service


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / f"{page}.md").read_text(), re.MULTILINE | re.DOTALL)


def example(service: Service, page: str) -> str:
    """The Python of a page, for a server at another address."""
    (code,) = blocks(page, "python")
    return code.replace(ADDRESS, service.url.removeprefix("http://"))


def test_python_sends(service: Service):
    (code,) = [example(service, "send")]
    signal = simulate_recording(20).signal
    exec(compile(code, "send.md", "exec"), {"key": service.key, "device": np.split(signal, 20)})
    state = service.app.state.ward.state("bed 3")
    assert state.signal.segment.leads == ("MLII", "V1")
    assert state.signal.segment.next_position == len(signal)


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_commands_of_the_shell_do_what_they_say(service: Service, tmp_path: Path, page: str, command: str):
    (tmp_path / "100.hea").write_text("100 1 250 500\n100.dat 16 200 16 0 0 0 0 II\n")
    (tmp_path / "100.dat").write_bytes(bytes(1000))
    np.savetxt(tmp_path / "day.csv", np.zeros((500, 1)), "%.3f", header="II", comments="")
    with Client(service.url, service.key) as client:
        alarm = next(one for one in client.alarms("bed 3", active=False) if one["condition"] == "asystole")
    command = command.replace(ADDRESS, service.url.removeprefix("http://"))
    command = command.replace("/alarms/1/", f"/alarms/{alarm['number']}/")
    environment = {"ECTOPY_KEY": service.key, "PATH": "/usr/bin:/bin"}
    if ENDLESS in command:
        command += " --max-time 1"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
    )
    if ENDLESS in command:
        assert done.stdout.startswith(": ")
        return
    assert done.returncode == 0, done.stderr
    if command.endswith("/oru"):
        assert done.stdout.startswith("MSH|")
    else:
        assert "detail" not in json.loads(done.stdout), done.stdout


def test_python_looks_at_live_signals(service: Service):
    code = example(service, "receive")
    said = []

    def keep(*words: object) -> None:
        said.append(words)
        if len(said) > 1 and isinstance(words[1], tuple):
            raise EOFError

    with service.client() as client:
        replay = client.post("/api/replays", json={"recording": "simulated", "patient": "bed 3"}).json()
        with pytest.raises(EOFError):
            exec(compile(code, "receive.md", "exec"), {"key": service.key, "print": keep})
        client.delete(f"/api/replays/{replay['id']}").raise_for_status()
    assert said[0][0] == "summary"
    assert said[-1][1] == (125, 2)


def test_the_targets_are_taken_as_they_are_written(tmp_path: Path):
    (written,) = blocks("monitor", "toml")
    file = tmp_path / "targets.toml"
    file.write_text(written.replace("whsec_...", "whsec_" + base64.b64encode(bytes(32)).decode()))
    assert [target.name for target in load_targets(file)] == ["ward 3", "on call"]


def test_the_bytes_of_a_chunk_are_those_of_the_code():
    (block,) = blocks("send", "text")
    content = bytes.fromhex("".join(line.partition("#")[0] for line in block.splitlines()))
    (found,) = read(content, "msgpack", received=0.0)
    assert (found.sequence, found.chunk.position, found.chunk.sampling_rate_hz, found.chunk.leads) == (
        7,
        0,
        250,
        ("II",),
    )
    np.testing.assert_allclose(found.chunk.signal * millivolt(found.chunk.unit), [[0.05], [np.nan]], rtol=1e-6)
    shorter = content.replace(bytes.fromhex("cb406f400000000000"), bytes.fromhex("ccfa"))
    assert shorter != content
    assert read(shorter, "msgpack", received=0.0)[0].chunk.sampling_rate_hz == 250
