from __future__ import annotations

import json
import subprocess
import sys
from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes, unicode_string_dtypes

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.errors import DataError
from ectopy.monitor import MonitorState, codec
from ectopy.monitor.alarm import Alarm, AlarmState, Inactivation, Phase, Transition
from ectopy.monitor.conditions import AlarmType, Priority
from ectopy.monitor.events import AlarmChanged, BeatJudged, Event, Evidence, InputRejected, Notice, QualityChanged
from ectopy.monitor.inputs import Chunk, Command, CommandKind, End, Input, RejectedInput, ServiceReport, Tick
from ectopy.monitor.limits import Limits
from ectopy.monitor.rhythm_input import ConditionReading, JudgedBeats

READING = ConditionReading("asystole", True, "no beat for 4.2 s", 4.2, 4.0, (1.0, 1.5))
ALARM = Alarm(
    1,
    "asystole",
    AlarmType.PHYSIOLOGICAL,
    Priority.HIGH,
    Phase.START,
    AlarmState.ACTIVE,
    Inactivation.ENABLED,
    5.7,
    5.7,
    READING,
    ConditionReading("asystole", None, value=float("inf")),
)
EVENTS = [
    BeatJudged(1, 2.5, 1.1, 275, None, "normal", "", 0.1 + 0.2, None, 3.0, ""),
    QualityChanged(2, 3.0, "II", "flat", 0.0),
    AlarmChanged(3, 5.7, Transition(1, 5.7, "raised", ALARM, "", "", "0" * 64, "a" * 64)),
    InputRejected(4, 6.0, "the unit 'furlong' is not one of mV, uV and V; send one of these."),
    Notice(5, 7.0, "gap", "0.4 s are missing."),
]
TEMPLATE_MV = np.linspace(-1, 1, 280).reshape(2, 140)
NORMAL = PatientTemplate(TEMPLATE_MV, np.array([3.0, np.nan]), np.abs(TEMPLATE_MV), 0.05, 60, ("I", "II"))
INPUTS = [
    Chunk(-3, np.array([[0.1, np.nan], [np.inf, -0.0]], np.float32), 250.0, ("I", "II"), 1e9, None, "é\0", "furlong"),
    Tick(1.7e9 + 0.1),
    ServiceReport(1e9, READING),
    End(1.7e9 + 0.2),
    RejectedInput(1e9, "the unit must be one of mV, uV and V, not 'furlong'."),
    Command(CommandKind.ACKNOWLEDGE, 1e9, "Dr. Ø", "seen", alarm=1),
    Command(CommandKind.SET_LIMITS, 1e9, "nurse", limits=Limits("exercise")),
    Command(CommandKind.SET_NORMAL, 1e9, "nurse", normal=NORMAL),
]


def test_every_input_and_event_has_a_kind():
    assert set(codec.INPUTS.values()) == set(get_args(Input)) == {type(value) for value in INPUTS}
    assert set(codec.EVENTS.values()) == set(get_args(Event)) == {type(value) for value in EVENTS}


@pytest.mark.parametrize("value", EVENTS, ids=codec.kind_of)
def test_events_come_back_equal(value):
    assert codec.decode(codec.EVENTS[codec.kind_of(value)], codec.encode(value)) == value


@pytest.mark.parametrize("value", INPUTS, ids=lambda value: codec.kind_of(value))
def test_inputs_come_back_to_the_bit(value):
    content = codec.encode(value)
    again = codec.decode(codec.INPUTS[codec.kind_of(value)], content)
    assert type(again) is type(value)
    assert codec.encode(again) == content


def test_a_restored_normal_is_the_same():
    again = codec.decode(Command, codec.encode(INPUTS[-1])).normal
    np.testing.assert_array_equal(again.template, NORMAL.template)
    assert again.template.dtype == np.float64
    assert again.leads == NORMAL.leads


@given(
    arrays(
        st.one_of(scalar_dtypes(), unicode_string_dtypes()).filter(lambda dtype: dtype.kind in "biufU"),
        array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    )
)
def test_arrays_keep_type_shape_and_bits(array):
    judged = JudgedBeats(array, array.T, array, array, array)
    again = codec.decode(JudgedBeats, codec.encode(judged))
    for before, after in ((array, again.time_s), (array.T, again.interval_s)):
        assert (after.dtype, after.shape, after.tobytes()) == (before.dtype, before.shape, before.tobytes())
    assert again.time_s.flags.writeable


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text()
COUNTS = st.integers(0, 2**53)
READINGS = st.builds(
    ConditionReading,
    TEXTS,
    st.none() | st.booleans(),
    TEXTS,
    st.none() | NUMBERS,
    st.none() | NUMBERS,
    st.lists(NUMBERS, max_size=3).map(tuple),
)
ALARMS = st.builds(
    Alarm,
    COUNTS,
    TEXTS,
    st.sampled_from(AlarmType),
    st.sampled_from(Priority),
    st.sampled_from(Phase),
    st.sampled_from(AlarmState),
    st.sampled_from(Inactivation),
    NUMBERS,
    NUMBERS,
    READINGS,
    READINGS,
    ended_s=st.none() | NUMBERS,
    acknowledged_until_s=st.none() | NUMBERS,
)
COLUMNS = arrays(np.float64, (2, 2, 3), elements=st.floats(allow_infinity=False))
EVIDENCE = st.builds(Evidence, arrays(np.float64, 2, elements=NUMBERS), st.just(("I", "II")), COLUMNS, COLUMNS, COLUMNS)
PAIRS = st.tuples(NUMBERS, NUMBERS)
ANY_EVENT = st.one_of(
    st.builds(
        BeatJudged,
        COUNTS,
        NUMBERS,
        NUMBERS,
        COUNTS,
        st.none() | NUMBERS,
        TEXTS,
        TEXTS,
        st.none() | NUMBERS,
        st.none() | NUMBERS,
        NUMBERS,
        TEXTS,
        TEXTS,
    ),
    st.builds(QualityChanged, COUNTS, NUMBERS, TEXTS, TEXTS, NUMBERS, NUMBERS),
    st.builds(
        AlarmChanged,
        COUNTS,
        NUMBERS,
        st.builds(Transition, COUNTS, NUMBERS, TEXTS, ALARMS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS),
        PAIRS,
        st.none() | EVIDENCE,
        st.none() | PAIRS,
    ),
    st.builds(InputRejected, COUNTS, NUMBERS, TEXTS),
    st.builds(Notice, COUNTS, NUMBERS, TEXTS, TEXTS, COUNTS),
)


@given(ANY_EVENT)
def test_events_come_back_from_json(event: Event):
    again = codec.from_json(codec.to_json(event))
    assert type(again) is type(event)
    # To the bit, but for the many ways to write NaN.
    assert codec.to_json(again) == codec.to_json(event)
    if not isinstance(event, AlarmChanged) or event.evidence is None:
        assert again == event
        return
    assert isinstance(again, AlarmChanged)
    assert again.evidence is not None
    assert again.transition == event.transition
    np.testing.assert_array_equal(again.evidence.samples, event.evidence.samples)
    assert again.evidence.samples.dtype == np.float64
    assert again.evidence.leads == event.evidence.leads


def test_an_infinite_figure_of_an_event_is_none_in_json():
    again = codec.from_json(codec.to_json(EVENTS[2]))
    assert again.transition.alarm.latest.value is None


def test_what_goes_around_an_event_in_json_is_skipped():
    content = json.dumps({"patient": "7", "version": 1, **json.loads(codec.to_json(EVENTS[4]))})
    assert codec.from_json(content.encode()) == EVENTS[4]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"kind": "tick", "now": 1}',
        b'{"kind": "noticed", "number": "one"}',
        b'{"kind": "quality", "number": 1}',
        b"\xff",
    ],
)
def test_what_is_not_an_event_in_json_is_rejected(content: bytes):
    with pytest.raises(DataError, match="event"):
        codec.from_json(content)


def test_damaged_arrays_in_json_are_rejected():
    samples = np.zeros((1, 1, 4))
    whole = AlarmChanged(3, 5.7, EVENTS[2].transition, evidence=Evidence(np.ones(1), ("I",), samples, samples, samples))
    content = codec.to_json(whole)
    for damage in ('"beats_s":["x"]', '"beats_s":{"a":1}', '"beats_s":[[1.0],[1.0,2.0]]'):
        with pytest.raises(DataError, match="not an event in JSON"):
            codec.from_json(content.replace('"beats_s":[1.0]', damage))


def test_numbers_of_numpy_become_plain_ones():
    event = QualityChanged(np.int64(2), np.float64(3.5), np.str_("II"), "flat", np.float32(0.5))
    assert codec.decode(QualityChanged, codec.encode(event)) == QualityChanged(2, 3.5, "II", "flat", 0.5)
    assert json.loads(codec.to_json(event))["index"] == 0.5


def test_fields_that_came_later_take_their_defaults():
    old = msgspec.msgpack.encode({"kind": "relearn", "now": 1.0, "person": "nurse", "forgotten": 7})
    assert codec.decode(Command, old) == Command(CommandKind.RELEARN, 1.0, "nurse")


def test_a_snapshot_from_before_conditions_had_timers_is_rejected():
    state = msgspec.to_builtins(MonitorState().alarms)
    state["courses"] = state.pop("timers")
    with pytest.raises(DataError, match=r"not a MonitorState: .* required field `timers`"):
        codec.decode(MonitorState, msgspec.msgpack.encode({"alarms": state}))


@pytest.mark.parametrize(
    "value",
    [
        Tick(object()),
        JudgedBeats(*[np.array([object()])] * 5),
        JudgedBeats(*[np.array([1 + 1j])] * 5),
        InputRejected(1, 0.0, "\ud800"),
        InputRejected(2**70, 0.0, ""),
    ],
    ids=["object", "objects", "complex", "text", "integer"],
)
def test_what_cannot_be_encoded_is_refused(value):
    with pytest.raises(DataError, match="cannot be encoded"):
        codec.encode(value)


@pytest.mark.parametrize(
    "parts",
    [
        ("|O", (1,), b"12345678"),
        ("|V8", (1,), b"12345678"),
        ("<M8[s]", (1,), b"12345678"),
        ("f4,f4", (1,), b"12345678"),
        ("(2,)f4", (1,), b"12345678"),
        ("<U0", (10**12,), b""),
        ("{", (1,), b"12345678"),
        ("<f4", (3,), b"12345678"),
        ("<f4", (-2,), b"12345678"),
        ("<f4", (-2, -1), b"12345678"),
        ("<f4", (2, *[1] * 40), b"12345678"),
        ("<f4", 2, b"12345678"),
        ("<f4",),
        [0.5, 0.25],
        None,
    ],
)
def test_arrays_that_are_none_are_refused(parts):
    fields = {"position": 0, "signal": parts, "sampling_rate_hz": 250.0, "leads": ["I"], "received": 0.0}
    with pytest.raises(DataError, match="not a Chunk"):
        codec.decode(Chunk, msgspec.msgpack.encode(fields))


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(content):
    try:
        codec.decode(Tick, content)
    except DataError:
        return
    assert isinstance(msgspec.msgpack.decode(content), dict)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_damage_is_refused_or_decoded_never_anything_else(place, value):
    content = bytearray(codec.encode(INPUTS[0]))
    content[place % len(content)] = value
    try:
        again = codec.decode(Chunk, bytes(content))
    except DataError:
        return
    assert isinstance(again.signal, np.ndarray)


def test_json_names_the_kind_and_has_only_what_json_has():
    lines = [json.loads(codec.to_json(value), parse_constant=pytest.fail) for value in (*EVENTS, *INPUTS)]
    assert [line["kind"] for line in lines[:5]] == ["beat", "quality", "alarm", "rejected", "noticed"]
    assert lines[0] == {
        "kind": "beat",
        "number": 1,
        "at_s": 2.5,
        "beat_s": 1.1,
        "position": 275,
        "interval_s": None,
        "verdict": "normal",
        "hint": "",
        "score": 0.1 + 0.2,
        "p_value": None,
        "threshold": 3.0,
        "reason": "",
        "confidence": "",
    }
    alarm = lines[2]["transition"]["alarm"]
    assert (alarm["kind"], alarm["priority"], alarm["latest"]["value"]) == ("SP", 3, None)
    chunk = lines[5]
    assert [row[1] for row in chunk["signal"]] == [None, 0.0]
    assert "\n" not in codec.to_json(INPUTS[0])


def test_json_of_anything_else_has_no_kind_of_its_own():
    assert json.loads(codec.to_json(READING))["beats_s"] == [1.0, 1.5]
    assert json.loads(codec.to_json(ALARM))["kind"] == "SP"


def test_threads_decode_for_the_first_time_at_once():
    code = (
        "from threading import Barrier, Thread; from ectopy.monitor import MonitorState, codec;"
        "content, ready = codec.encode(MonitorState()), Barrier(8);"
        "decode = lambda: (ready.wait(), codec.decode(MonitorState, content));"
        "threads = [Thread(target=decode) for _ in range(8)];"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
