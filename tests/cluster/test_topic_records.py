"""What is written to a topic is read back, and what is no input is refused in one sentence."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.client.protocol import ChunkMessage, write
from ectopy.cluster.log_rows import Topic
from ectopy.cluster.shard import PatientEvent
from ectopy.cluster.topic_records import (
    TICK,
    read_command,
    read_event,
    read_patient,
    read_row,
    read_samples,
    write_command,
    write_event,
)
from ectopy.errors import DataError
from ectopy.monitor import BeatJudged, Chunk, Command, CommandKind, Limits, Notice, ServiceReport, Tick
from ectopy.monitor.codec import encode
from ectopy.monitor.conditions import CONDITIONS
from ectopy.monitor.rhythm_input import ConditionReading

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=200)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=50)
TIMES = st.floats(1.5e9, 2e9)
COMMANDS = st.builds(
    Command,
    kind=st.sampled_from(CommandKind),
    now=TIMES,
    person=NAMES,
    why=TEXTS,
    alarm=st.none() | st.integers(1, 2**31),
    limits=st.none() | st.just(Limits.of("ambulatory")) | st.builds(Limits, high_bpm=st.floats(100, 140)),
)
REPORTS = st.builds(
    ServiceReport,
    now=TIMES,
    reading=st.builds(
        ConditionReading,
        condition=st.sampled_from(sorted(CONDITIONS)),
        present=st.none() | st.booleans(),
        text=TEXTS,
    ),
)
EVENTS = st.builds(
    Notice, number=st.integers(1, 2**40), at_s=st.floats(0, 1e6), subject=TEXTS, text=TEXTS, samples=st.integers(0, 10)
) | st.builds(
    BeatJudged,
    number=st.integers(1, 2**40),
    at_s=st.floats(0, 1e6),
    beat_s=st.floats(0, 1e6),
    position=st.integers(0, 2**40),
    interval_s=st.none() | st.floats(0, 10),
    verdict=st.just("NORMAL"),
    hint=st.just(""),
    score=st.none() | st.floats(-10, 10),
    p_value=st.none(),
    threshold=st.floats(0, 10),
    reason=TEXTS,
)


def a_chunk(samples: int = 4) -> Chunk:
    signal = np.arange(2 * samples, dtype=np.float32).reshape(samples, 2) / 8
    return Chunk(1000, signal, 250.0, ("I", "II"), received=12.5, stream="a")


@given(NAMES)
def test_the_key_is_the_patient(name: str):
    assert read_patient(name.encode()) == name


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"bed\n3", b"x" * 201])
def test_a_key_that_names_nobody_is_refused(key: bytes | None):
    with pytest.raises(DataError, match=r"key.*\.$"):
        read_patient(key)


@given(COMMANDS | REPORTS)
def test_commands_are_read_back(command: Command | ServiceReport):
    assert read_command(write_command(command), command.now) == command


def test_a_command_brings_a_normal():
    ones = np.ones((2, 140))
    normal = PatientTemplate(ones, ones[:, 0], ones / 3, 0.1, 50, ("I", "II"))
    command = Command(CommandKind.SET_NORMAL, 5.0, "nurse", normal=normal)
    assert encode(read_command(write_command(command), 5.0)) == encode(command)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"command": "explode", "person": "nurse"}, "not a command"),
        ({"command": "acknowledge"}, "person"),
        ({"person": "nurse"}, "either"),
        ({"command": "admit", "person": "nurse", "report": "no data"}, "either"),
        ({"report": "fire"}, "code of a condition"),
        ({"command": "set limits", "person": "nurse", "limits": {"high_bpm": 10_000}}, "not a command"),
        ({"command": "admit", "person": "nurse", "version": 2}, "version 2"),
    ],
)
def test_what_is_no_command_is_refused(content: dict[str, object], words: str):
    with pytest.raises(DataError, match=words):
        read_command(json.dumps(content).encode(), 0.0)


@given(NAMES, TIMES | st.just(math.nan), EVENTS, st.none() | st.tuples(st.integers(0, 99), st.integers(0, 2**40)))
def test_events_are_read_back(patient: str, origin: float, event: Notice, command: tuple[int, int] | None):
    written = write_event(PatientEvent(patient, origin, event, command))
    assert json.loads(written)["version"] == 1
    read = read_event(written)
    assert (read.patient, read.event, read.command) == (patient, event, command)
    assert read.origin == origin or (math.isnan(origin) and math.isnan(read.origin))


def test_an_event_of_a_newer_version_is_refused():
    written = json.loads(write_event(PatientEvent("bed 3", 0.0, Notice(1, 0.0, "gap", "A gap."))))
    with pytest.raises(DataError, match="version 2"):
        read_event(json.dumps(written | {"version": 2}).encode())


@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_samples_are_read_in_both_forms_with_the_time_of_their_record(form):
    chunk = a_chunk()
    read = read_samples(write(ChunkMessage(chunk), form), 99.0)
    assert [encode(each) for each in read] == [encode(replace(chunk, received=99.0))]


@given(st.binary(max_size=300))
@example(b"[]")
@example(b"\x90")
def test_other_bytes_are_refused_in_one_sentence(content: bytes):
    with pytest.raises(DataError, match=r"(?s).\.$"):
        read_samples(content, 0.0)


def test_samples_of_a_newer_version_are_refused():
    message = json.loads(write(ChunkMessage(a_chunk()), "json")) | {"version": 2}
    with pytest.raises(DataError, match="version 2"):
        read_samples(json.dumps(message).encode(), 0.0)


def test_a_tick_has_no_key_and_counts_only_among_samples():
    assert read_row(Topic.SAMPLES, 1, 7, 3.5, None, TICK).inputs == (Tick(3.5),)
    for topic, key in ((Topic.SAMPLES, b"bed 3"), (Topic.COMMANDS, None), (Topic.COMMANDS, b"bed 3")):
        with pytest.raises(DataError):
            read_row(topic, 1, 7, 3.5, key, TICK)


def test_a_row_is_of_a_patient_and_its_time_that_of_the_record():
    row = read_row(Topic.SAMPLES, 1, 7, 3.5, b"bed 3", write(ChunkMessage(a_chunk()), "msgpack"))
    assert (row.patient, row.partition, row.offset, row.timestamp) == ("bed 3", 1, 7, 3.5)
    assert [each.received for each in row.inputs] == [3.5]
    command = write_command(Command(CommandKind.ADMIT, 0.0, "nurse"))
    assert read_row(Topic.COMMANDS, 0, 1, 4.5, b"bed 3", command).inputs == (Command(CommandKind.ADMIT, 4.5, "nurse"),)
