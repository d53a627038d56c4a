"""Reads what is stored, within a transaction of the caller."""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from ectopy.detector import Verdict
from ectopy.errors import DataError, SettingError
from ectopy.formats.leads import millivolt
from ectopy.formats.pulses import HIGHEST_PULSE_HZ, LOWEST_PULSE_HZ
from ectopy.judgement import Hint
from ectopy.monitor import codec
from ectopy.monitor.alarm import Phase, Transition
from ectopy.monitor.events import AlarmChanged, BeatJudged, Evidence
from ectopy.monitor.inputs import Chunk, Input, PulseChunk
from ectopy.monitor.log import GENESIS
from ectopy.service.storage import tables
from ectopy.service.storage.records import Arrival, Restored, StoredAlarm, StoredBeat, StoredEvent, TrendStep, Waveform

MOST_SAMPLES = 10_000_000

_AT_A_TIME = 500
_ECTOPIC = (Hint.VENTRICULAR.value, Hint.SUPRAVENTRICULAR.value)


def patient_id(connection: sa.Connection, patient: str) -> int:
    """Number of a patient in the tables.

    Raises
    ------
    DataError
        If the patient is not enrolled.
    """
    query = sa.select(tables.patients.c.id).where(tables.patients.c.patient == patient)
    found: int | None = connection.execute(query).scalar_one_or_none()
    if found is None:
        raise DataError(f"patient {patient!r} is not known; admit the patient first.")
    return found


def read_inputs(connection: sa.Connection, patient: int, after: int) -> Iterator[tuple[int, Input]]:
    """Inputs with their numbers, in order."""
    chunk, stream, entry = tables.waveforms.c, tables.streams.c, tables.journal.c
    chunks = connection.execute(
        sa.select(tables.waveforms, stream.stream, stream.sampling_rate_hz, stream.leads, stream.unit)
        .join(tables.streams)
        .where(chunk.patient_id == patient, chunk.number > after)
        .order_by(chunk.number)
    )
    entries = connection.execute(
        sa.select(entry.number, entry.kind, entry.body)
        .where(entry.patient_id == patient, entry.number > after)
        .order_by(entry.number)
    )
    return heapq.merge(
        ((row.number, _chunk(row)) for row in chunks),
        ((row.number, codec.decode(codec.INPUTS[row.kind], row.body)) for row in entries),
        key=lambda pair: pair[0],
    )


def restore(connection: sa.Connection, patient: str) -> Restored:
    """Newest snapshot of a patient, and what came after it."""
    number = patient_id(connection, patient)
    columns = tables.snapshots.c
    found = connection.execute(
        sa.select(columns.number, columns.state).where(columns.patient_id == number)
    ).one_or_none()
    last, state = (0, None) if found is None else (found.number, bytes(found.state))
    inputs = []
    for expected, (place, given) in enumerate(read_inputs(connection, number, after=last), last + 1):
        if place != expected:
            raise DataError(f"input {expected} of patient {patient!r} is missing; restore a copy of the database.")
        inputs.append(given)
    return Restored(state, tuple(inputs), last + len(inputs) + 1)


def read_waveform(connection: sa.Connection, patient: str, stream: str, start: int, stop: int) -> Waveform:
    """Samples from `start` to before `stop`; see `Store.waveform`."""
    if not 0 < stop - start <= MOST_SAMPLES:
        raise SettingError(f"from {start} to {stop} are not 1 to {MOST_SAMPLES} samples; ask for so many at a time.")
    chunk, layout = tables.waveforms.c, tables.streams.c
    layouts = connection.execute(
        sa.select(tables.streams)
        .where(layout.patient_id == patient_id(connection, patient), layout.stream == stream)
        .order_by(layout.id)
    ).all()
    if not layouts:
        raise DataError(f"patient {patient!r} has no stream {stream!r}; name one that was sent.")
    chunks = [
        row
        for each in layouts
        for row in connection.execute(
            sa.select(tables.waveforms, layout.sampling_rate_hz, layout.leads, layout.unit)
            .join(tables.streams)
            .where(
                chunk.stream_id == each.id,
                chunk.position > start - each.longest,
                chunk.position < stop,
                chunk.position + chunk.samples > start,
            )
        )
    ]
    chunks.sort(key=lambda row: row.number)
    rate = (chunks or layouts)[0].sampling_rate_hz
    leads = tuple(dict.fromkeys(lead for row in layouts if row.sampling_rate_hz == rate for lead in _leads(row)))
    signal = np.full((stop - start, len(leads)), np.nan, np.float32)
    # The first chunk that tells of a sample counts, so it is the last one to be put in.
    for row in reversed([row for row in chunks if row.sampling_rate_hz == rate]):
        _put(signal, leads, row, start)
    return Waveform(start, signal, rate, leads, _pulse_waves(chunks, rate, start, stop))


def _pulse_waves(
    chunks: Sequence[sa.Row[*tuple[Any, ...]]], rate_hz: float, start: int, stop: int
) -> tuple[PulseChunk, ...]:
    """Pulse waves that came with the ECG of this rate from `start` to before `stop`, in order of name."""
    waves: dict[tuple[str, str, float], PulseChunk] = {}
    # The first chunk that tells of a sample counts, so it is the last one to be put in.
    for row in reversed([row for row in chunks if row.sampling_rate_hz == rate_hz]):
        for pulse in _pulses(row):
            if not LOWEST_PULSE_HZ <= pulse.sampling_rate_hz <= HIGHEST_PULSE_HZ:
                continue
            key = pulse.name, pulse.unit, pulse.sampling_rate_hz
            if key not in waves:
                begin, end = (math.ceil(place / rate_hz * pulse.sampling_rate_hz) for place in (start, stop))
                waves[key] = PulseChunk(*key, begin, np.full(end - begin, np.nan, np.float32))
            wave = waves[key]
            first, last = pulse.position - wave.position, pulse.position + len(pulse.samples) - wave.position
            low, high = max(first, 0), min(last, len(wave.samples))
            if low < high:
                wave.samples[low:high] = pulse.samples[low - first : high - first]
    return tuple(waves[key] for key in sorted(waves))


def read_beats(
    connection: sa.Connection, patient: str, start: float, stop: float, limit: int | None = None
) -> list[StoredBeat]:
    """Beats of a stretch of time; see `Store.beats`."""
    beat = tables.beats.c
    rows = connection.execute(
        sa.select(tables.beats)
        .where(beat.patient_id == patient_id(connection, patient), beat.time >= start, beat.time < stop)
        .order_by(beat.time, beat.number)
        .limit(limit)
    )
    return [StoredBeat(row.time, _beat(row)) for row in rows]


def read_worst_beats(
    connection: sa.Connection, patient: str, start: float, stop: float, limit: int
) -> list[StoredBeat]:
    """The abnormal beats of a stretch of time farthest above their thresholds; see `Store.worst_beats`."""
    beat = tables.beats.c
    # A beat from before the patient's normal was known is judged on another scale.
    above = sa.func.coalesce(beat.score - beat.threshold, 0.0)
    rows = connection.execute(
        sa.select(tables.beats)
        .where(beat.patient_id == patient_id(connection, patient), beat.time >= start, beat.time < stop)
        .where(beat.verdict == Verdict.ABNORMAL.value)
        .order_by(above.desc(), beat.number)
        .limit(limit)
    )
    return [StoredBeat(row.time, _beat(row)) for row in rows]


def read_trend(connection: sa.Connection, patient: str, start: float, stop: float, step_s: float) -> list[TrendStep]:
    """Beats counted in steps of time; see `Store.trend`."""
    beat = tables.beats.c
    step = sa.cast(sa.func.floor((beat.time - start) / step_s), sa.Integer).label("step")

    def count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((condition, 1), else_=0))

    rows = connection.execute(
        sa.select(
            step,
            sa.func.count(),
            count(beat.verdict == Verdict.ABNORMAL.value),
            count(beat.hint.in_(_ECTOPIC)),
            count(beat.verdict == Verdict.UNREADABLE.value),
            sa.func.avg(beat.interval_s),
        )
        .where(beat.patient_id == patient_id(connection, patient), beat.time >= start, beat.time < stop)
        .group_by(step)
        .order_by(step)
    )
    return [TrendStep(start + number * step_s, *rest) for number, *rest in rows]


def read_arrivals(connection: sa.Connection, patient: str, start: float, stop: float, limit: int) -> list[Arrival]:
    """The first chunks that came from a time to before another; see `Store.arrivals`."""
    number = patient_id(connection, patient)
    chunk, layout = tables.waveforms.c, tables.streams.c
    rows = connection.execute(
        sa.select(layout.stream, layout.sampling_rate_hz, chunk.position, chunk.samples, chunk.received)
        .join_from(tables.waveforms, tables.streams)
        .where(chunk.patient_id == number, chunk.number >= _first_since(connection, number, start))
        .order_by(chunk.number)
        .limit(limit)
    )
    return [Arrival(*row) for row in takewhile(lambda row: row.received < stop, rows)]


def _first_since(connection: sa.Connection, patient: int, time: float) -> int:
    """Number of the first chunk of a patient that came at a time or later; chunks are numbered as they come."""
    chunk = tables.waveforms.c
    ends = sa.select(sa.func.min(chunk.number), sa.func.max(chunk.number)).where(chunk.patient_id == patient)
    first, last = connection.execute(ends).one()
    low, high = first or 0, (last or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            sa.select(chunk.number, chunk.received)
            .where(chunk.patient_id == patient, chunk.number >= middle)
            .order_by(chunk.number)
            .limit(1)
        ).one_or_none()
        if row is None or row.received >= time:
            high = middle
        else:
            low = row.number + 1
    return low


def read_events(
    connection: sa.Connection, after: int, patient: str | None, kinds: Sequence[str], limit: int
) -> list[StoredEvent]:
    """Events in the order of storage; see `Store.events`."""
    event = tables.events.c
    query = (
        sa.select(event.id, tables.patients.c.patient, event.time, event.kind, event.body)
        .join_from(tables.events, tables.patients)
        .where(event.id > after)
        .order_by(event.id)
        .limit(limit)
    )
    if patient is not None:
        query = query.where(event.patient_id == patient_id(connection, patient))
    if kinds:
        query = query.where(event.kind.in_(kinds))
    return [
        StoredEvent(row.id, row.patient, row.time, codec.decode(codec.EVENTS[row.kind], row.body))
        for row in connection.execute(query)
    ]


def read_alarms(
    connection: sa.Connection,
    patient: str | None,
    active_only: bool = False,
    limit: int = 1,
    before: int | None = None,
) -> list[StoredAlarm]:
    """The newest alarms as they stand, in order; see `Store.alarms`."""
    alarm, event = tables.alarms.c, tables.events.c
    # Of one patient by number, which the key of the table gives; of all by the event at which each changed last.
    order = alarm.number if patient is not None else event.id
    query = _alarms().order_by(order.desc()).limit(limit)
    if patient is not None:
        query = query.where(alarm.patient_id == patient_id(connection, patient))
    if before is not None:
        query = query.where(order < before)
    if active_only:
        query = query.where(alarm.phase != Phase.END.value)
    return [_alarm(row) for row in connection.execute(query)][::-1]


def read_alarm(connection: sa.Connection, patient: str, number: int) -> StoredAlarm | None:
    """One alarm as it stands; None where there is none of this number."""
    alarm = tables.alarms.c
    query = _alarms().where(alarm.patient_id == patient_id(connection, patient), alarm.number == number)
    row = connection.execute(query).one_or_none()
    return None if row is None else _alarm(row)


def _alarms() -> sa.Select[tuple[Any, ...]]:
    alarm, event = tables.alarms.c, tables.events.c
    last = sa.and_(alarm.patient_id == event.patient_id, alarm.event == event.number)
    joined = tables.events.join(tables.alarms, last).join(tables.patients, tables.patients.c.id == event.patient_id)
    return sa.select(event.id, tables.patients.c.patient, alarm.origin, event.body).select_from(joined)


def count_alarms(connection: sa.Connection, patient: str) -> int:
    """How many alarms a patient has had."""
    alarm = tables.alarms.c
    mine = alarm.patient_id == patient_id(connection, patient)
    return connection.execute(sa.select(sa.func.count()).select_from(tables.alarms).where(mine)).scalar_one()


def read_alarm_log(connection: sa.Connection, patient: str, after: int = 0) -> Iterator[Transition]:
    """All that ever happened to the alarms of a patient, in order; that after an entry, read as it is wanted."""
    log, event = tables.alarm_log.c, tables.events.c
    query = (
        sa.select(event.body)
        .join_from(
            tables.alarm_log, tables.events, sa.and_(event.patient_id == log.patient_id, event.number == log.event)
        )
        .where(log.patient_id == patient_id(connection, patient), log.number > after)
        .order_by(log.number)
        .execution_options(yield_per=_AT_A_TIME)
    )
    return (codec.decode(AlarmChanged, body).transition for body in connection.scalars(query))


def read_checkpoint(connection: sa.Connection, patient: str) -> tuple[int, str]:
    """Number and digest of the entry up to which the log of a patient was verified."""
    column = tables.checkpoints.c
    mine = sa.select(column.number, column.digest).where(column.patient_id == patient_id(connection, patient))
    row = connection.execute(mine).one_or_none()
    return (0, GENESIS) if row is None else (row.number, row.digest)


def read_last_entry(connection: sa.Connection, patient: str) -> tuple[int, str]:
    """Number and digest of the newest entry of the log of a patient."""
    log = tables.alarm_log.c
    mine = sa.select(log.number, log.digest).where(log.patient_id == patient_id(connection, patient))
    row = connection.execute(mine.order_by(log.number.desc()).limit(1)).one_or_none()
    return (0, GENESIS) if row is None else (row.number, row.digest)


def read_digests(connection: sa.Connection, patient: str, numbers: Sequence[int]) -> dict[int, str]:
    """Digests of entries of a log, as they were noted beside it."""
    log = tables.alarm_log.c
    query = sa.select(log.number, log.digest).where(log.patient_id == patient_id(connection, patient))
    return {row.number: row.digest for row in connection.execute(query.where(log.number.in_(numbers)))}


def read_alarm_events(connection: sa.Connection, patient: str, number: int) -> list[StoredEvent]:
    """All that ever happened to one alarm, in order, with the evidence that is still stored."""
    log, event, evidence = tables.alarm_log.c, tables.events.c, tables.evidence.c
    query = (
        sa.select(event.id, event.time, event.body, evidence.body.label("evidence"))
        .join_from(
            tables.alarm_log, tables.events, sa.and_(event.patient_id == log.patient_id, event.number == log.event)
        )
        .outerjoin(tables.evidence, sa.and_(evidence.patient_id == event.patient_id, evidence.event == event.number))
        .where(log.patient_id == patient_id(connection, patient), log.alarm == number)
        .order_by(log.number)
    )
    return [StoredEvent(row.id, patient, row.time, _changed(row)) for row in connection.execute(query)]


def _changed(row: sa.Row[*tuple[Any, ...]]) -> AlarmChanged:
    changed = codec.decode(AlarmChanged, row.body)
    return changed if row.evidence is None else replace(changed, evidence=codec.decode(Evidence, row.evidence))


def read_origin(connection: sa.Connection, patient: str, time: float) -> float | None:
    """Time of stream second 0 by the clock at a time; see `Store.origin`."""
    column = tables.origins.c
    mine = column.patient_id == patient_id(connection, patient)
    query = sa.select(column.origin).where(mine, column.time <= time).order_by(column.number.desc()).limit(1)
    return connection.execute(query).scalar_one_or_none()


def _alarm(row: sa.Row[*tuple[Any, ...]]) -> StoredAlarm:
    changed = codec.decode(AlarmChanged, row.body)
    return StoredAlarm(row.patient, row.origin, changed.transition.alarm, changed.origins, row.id)


def _leads(row: sa.Row[*tuple[Any, ...]]) -> tuple[str, ...]:
    return tuple(json.loads(row.leads))


def _signal(row: sa.Row[*tuple[Any, ...]]) -> NDArray[np.float32]:
    return np.frombuffer(row.signal, "<f4").reshape(row.samples, -1).astype(np.float32)


def _chunk(row: sa.Row[*tuple[Any, ...]]) -> Chunk:
    return Chunk(
        row.position,
        _signal(row),
        row.sampling_rate_hz,
        _leads(row),
        row.received,
        row.sent,
        row.stream,
        row.unit,
        _pulses(row),
    )


def _pulses(row: sa.Row[*tuple[Any, ...]]) -> tuple[PulseChunk, ...]:
    return () if row.pulses is None else codec.decode(tuple[PulseChunk, ...], row.pulses)


def _put(signal: NDArray[np.float32], leads: Sequence[str], row: sa.Row[*tuple[Any, ...]], start: int) -> None:
    first, last = max(row.position, start), min(row.position + row.samples, start + len(signal))
    columns = [leads.index(lead) for lead in _leads(row)]
    scale = np.float32(millivolt(row.unit) or np.nan)
    signal[first - start : last - start, columns] = _signal(row)[first - row.position : last - row.position] * scale


def _beat(row: sa.Row[*tuple[Any, ...]]) -> BeatJudged:
    return BeatJudged(
        number=row.number,
        at_s=row.at_s,
        beat_s=row.beat_s,
        position=row.position,
        interval_s=row.interval_s,
        verdict=row.verdict,
        hint=row.hint,
        score=row.score,
        p_value=row.p_value,
        threshold=math.nan if row.threshold is None else row.threshold,
        reason=row.reason,
        confidence=row.confidence or "",
    )
