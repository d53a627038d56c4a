"""Chunks of samples as they arrived, their streams, and the time of stream second 0."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from ectopy.errors import DataError, SettingError
from ectopy.formats.leads import millivolt
from ectopy.formats.pulse_channels import HIGHEST_PULSE_HZ, LOWEST_PULSE_HZ
from ectopy.monitor import codec
from ectopy.monitor.inputs import Chunk, Input, PulseChunk, input_time
from ectopy.service.storage import tables
from ectopy.service.storage.database import MOST_ROWS, Database, ResultRow, Row, upsert
from ectopy.service.storage.stored_patients import patient_id

MOST_SAMPLES = 10_000_000

_LARGEST = 2**62
_LONGEST_TEXT = 400
_LEAST_SHIFT_S = 0.25
_CHUNK, _STREAM, _ORIGIN = tables.waveforms.c, tables.streams.c, tables.origins.c


@dataclass(frozen=True, slots=True)
class Waveform:
    """A segment of a stream from `position` on, and the pulse waves of the same time.

    `signal` has the shape (samples, leads), in millivolt, with NaN in gaps.
    """

    position: int
    signal: NDArray[np.float32]
    sampling_rate_hz: float
    leads: tuple[str, ...]
    pulses: tuple[PulseChunk, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A chunk without its samples: the position of the first one, their number, and when they were received."""

    stream: str
    sampling_rate_hz: float
    position: int
    samples: int
    received: float


class WaveformStore:
    """Samples and when they were received."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, patient: str, stream: str, start: int, stop: int) -> Waveform:
        """Return the samples of a stream from position `start` to before `stop`.

        If a sample was sent twice, the first counts. If the sampling rate changed, chunks with another rate than the
        first are left out.

        Raises
        ------
        DataError
            If the patient has no such stream.
        SettingError
            If these are not 1 to 10 million samples.
        """
        if not 0 < stop - start <= MOST_SAMPLES:
            raise SettingError(
                f"from {start} to {stop} are not 1 to {MOST_SAMPLES} samples; ask for so many at a time."
            )
        with self._database.reading() as connection:
            layouts = connection.execute(
                sa.select(tables.streams)
                .where(_STREAM.patient_id == patient_id(connection, patient), _STREAM.stream == stream)
                .order_by(_STREAM.id)
            ).all()
            if not layouts:
                raise DataError(f"patient {patient!r} has no stream {stream!r}; name one that was sent.")
            chunks = [row for layout in layouts for row in connection.execute(_chunks_of(layout, start, stop))]
        chunks.sort(key=lambda row: row.number)
        rate = (chunks or layouts)[0].sampling_rate_hz
        leads = tuple(dict.fromkeys(lead for row in layouts if row.sampling_rate_hz == rate for lead in _leads(row)))
        signal = np.full((stop - start, len(leads)), np.nan, np.float32)
        # The first chunk with a sample counts, so it is the last one to be copied.
        newest_first = [row for row in reversed(chunks) if row.sampling_rate_hz == rate]
        for row in newest_first:
            _copy_chunk(signal, leads, row, start)
        return Waveform(start, signal, rate, leads, _pulse_waves(newest_first, rate, start, stop))

    def arrivals(self, patient: str, start: float, stop: float, limit: int = MOST_ROWS) -> list[Arrival]:
        """Return the first chunks received from a time to before another, seconds since 1970, in order."""
        with self._database.reading() as connection:
            owner = patient_id(connection, patient)
            rows = connection.execute(
                sa.select(_STREAM.stream, _STREAM.sampling_rate_hz, _CHUNK.position, _CHUNK.samples, _CHUNK.received)
                .join_from(tables.waveforms, tables.streams)
                .where(_CHUNK.patient_id == owner, _CHUNK.number >= _first_since(connection, owner, start))
                .order_by(_CHUNK.number)
                .limit(limit)
            )
            return [Arrival(*row) for row in takewhile(lambda row: row.received < stop, rows)]

    def origin(self, patient: str, time: float) -> float | None:
        """Return the time of stream second 0 by the clock at a time, seconds since 1970; None if unknown."""
        with self._database.reading() as connection:
            mine = _ORIGIN.patient_id == patient_id(connection, patient)
            query = sa.select(_ORIGIN.origin).where(mine, _ORIGIN.time <= time)
            return connection.execute(query.order_by(_ORIGIN.number.desc()).limit(1)).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class _Stream:
    """A row of `streams`."""

    layout: tuple[str, float, tuple[str, ...], str]
    id: int
    longest: int


class StreamIds:
    """Rows of `streams`, with a cache of the newest of each patient."""

    def __init__(self) -> None:
        self._newest: dict[int, _Stream] = {}

    def id_for(self, connection: sa.Connection, patient: int, chunk: Chunk) -> int | None:
        """Return the stream of a chunk; None if the columns of the tables cannot hold the chunk exactly."""
        if not _fits_waveforms(chunk):
            return None
        layout = (chunk.stream, chunk.sampling_rate_hz, chunk.leads, chunk.unit)
        stream = self._newest.get(patient)
        if stream is None or stream.layout != layout or len(chunk.signal) > stream.longest:
            if not _fits_streams(chunk):
                return None
            stream = self._newest[patient] = _store_stream(connection, patient, chunk)
        return stream.id


class Origins:
    """Times of stream second 0, with a cache of the newest of each patient."""

    def __init__(self) -> None:
        self._newest: dict[int, float] = {}

    def row(self, connection: sa.Connection, patient: int, number: int, input_: Input, origin: float) -> Row | None:
        """Return the row for the time of stream second 0 from an input on; None if it has not changed."""
        newest = self._newest.get(patient)
        if newest is None:
            query = sa.select(_ORIGIN.origin).where(_ORIGIN.patient_id == patient)
            newest = connection.execute(query.order_by(_ORIGIN.number.desc()).limit(1)).scalar_one_or_none()
        if newest is not None and abs(origin - newest) < _LEAST_SHIFT_S:
            self._newest[patient] = newest
            return None
        time = float(input_time(input_))
        if not math.isfinite(time):
            return None  # the next input with a finite time is stored
        self._newest[patient] = origin
        return {"patient_id": patient, "number": number, "time": time, "origin": float(origin)}


def waveform_row(patient: int, number: int, stream: int, chunk: Chunk) -> Row:
    """Return the row of a chunk."""
    return {
        "patient_id": patient,
        "number": number,
        "stream_id": stream,
        "position": int(chunk.position),
        "samples": len(chunk.signal),
        "received": float(chunk.received),
        "sent": None if chunk.sent_at is None else float(chunk.sent_at),
        "signal": chunk.signal.astype("<f4", copy=False).tobytes(),
        "pulses": codec.encode(chunk.pulses) if chunk.pulses else None,
    }


def chunk_of(row: ResultRow) -> Chunk:
    """Return the chunk of a row of `waveforms` joined with its stream."""
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


def _chunks_of(layout: ResultRow, start: int, stop: int) -> sa.Select[tuple[object, ...]]:
    return (
        sa.select(tables.waveforms, _STREAM.sampling_rate_hz, _STREAM.leads, _STREAM.unit)
        .join(tables.streams)
        .where(
            _CHUNK.stream_id == layout.id,
            _CHUNK.position > start - layout.longest,
            _CHUNK.position < stop,
            _CHUNK.position + _CHUNK.samples > start,
        )
    )


def _copy_chunk(signal: NDArray[np.float32], leads: Sequence[str], row: ResultRow, start: int) -> None:
    first, last = max(row.position, start), min(row.position + row.samples, start + len(signal))
    columns = [leads.index(lead) for lead in _leads(row)]
    scale = np.float32(millivolt(row.unit) or np.nan)
    signal[first - start : last - start, columns] = _signal(row)[first - row.position : last - row.position] * scale


def _pulse_waves(newest_first: Sequence[ResultRow], rate_hz: float, start: int, stop: int) -> tuple[PulseChunk, ...]:
    """Return the pulse waves that came with the ECG from `start` to before `stop`, by name."""
    waves: dict[tuple[str, str, float], PulseChunk] = {}
    for row in newest_first:
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


def _first_since(connection: sa.Connection, patient: int, time: float) -> int:
    """Return the number of the first chunk received at a time or later, by bisection: numbers are in that order."""
    ends = sa.select(sa.func.min(_CHUNK.number), sa.func.max(_CHUNK.number)).where(_CHUNK.patient_id == patient)
    first, last = connection.execute(ends).one()
    low, high = first or 0, (last or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            sa.select(_CHUNK.number, _CHUNK.received)
            .where(_CHUNK.patient_id == patient, _CHUNK.number >= middle)
            .order_by(_CHUNK.number)
            .limit(1)
        ).one_or_none()
        if row is None or row.received >= time:
            high = middle
        else:
            low = row.number + 1
    return low


def _leads(row: ResultRow) -> tuple[str, ...]:
    return tuple(json.loads(row.leads))


def _signal(row: ResultRow) -> NDArray[np.float32]:
    return np.frombuffer(row.signal, "<f4").reshape(row.samples, -1).astype(np.float32)


def _pulses(row: ResultRow) -> tuple[PulseChunk, ...]:
    return () if row.pulses is None else codec.decode(tuple[PulseChunk, ...], row.pulses)


def _store_stream(connection: sa.Connection, patient: int, chunk: Chunk) -> _Stream:
    statement = upsert(connection, tables.streams).values(
        patient_id=patient,
        stream=chunk.stream,
        sampling_rate_hz=float(chunk.sampling_rate_hz),
        leads=json.dumps(chunk.leads, ensure_ascii=False),
        unit=chunk.unit,
        longest=len(chunk.signal),
    )
    new = statement.excluded.longest
    longest = sa.case((new > _STREAM.longest, new), else_=_STREAM.longest)
    keys = (_STREAM.patient_id, _STREAM.stream, _STREAM.sampling_rate_hz, _STREAM.leads, _STREAM.unit)
    stored = statement.on_conflict_do_update(index_elements=keys, set_={"longest": longest})
    row = connection.execute(stored.returning(_STREAM.id, _STREAM.longest)).one()
    return _Stream((chunk.stream, chunk.sampling_rate_hz, chunk.leads, chunk.unit), *row)


def _fits_waveforms(chunk: Chunk) -> bool:
    """Check that the columns of `waveforms` hold the samples exactly; a rejected chunk may have any content."""
    signal = chunk.signal
    return (
        signal.dtype == np.float32
        and signal.ndim == 2
        and signal.shape[1] == len(chunk.leads)
        and signal.size > 0
        and abs(chunk.position) < _LARGEST
        and math.isfinite(chunk.received)
        and (chunk.sent_at is None or math.isfinite(chunk.sent_at))
    )


def _fits_streams(chunk: Chunk) -> bool:
    """Check that the columns of `streams` hold the layout of the chunk exactly."""
    text = chunk.stream + "".join(chunk.leads)
    return (
        math.isfinite(chunk.sampling_rate_hz)
        and millivolt(chunk.unit) is not None
        and len(text) <= _LONGEST_TEXT
        and text.isprintable()
    )
