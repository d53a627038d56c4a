"""Monitor states in named parts, of which only those that changed have to be written.

What changes with every second is small, but for windows of samples and beats that slide: of these only the new rows are
written, in blocks that stay until all their rows have left the windows. The parts are:

``trunk``
    Everything else, written with every step, with the blocks that are not full yet.
``templates``, ``leads``
    The patient's normal beats, and amplitudes of leads of former segments: written when they change, rarely.
``signal/3``, ``beats/0``, ``minutes/1``, ``block/2``
    Blocks of new rows of the windows of one `_RINGS` entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.errors import DataError
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.detection import LeadMemory
from ectopy.monitor.monitor import MonitorState
from ectopy.monitor.snapshot import SNAPSHOT_VERSION, readable_version
from ectopy.presentation import short_repr
from ectopy.signal.fibrillation_waveform import recomputed_wave
from ectopy.signal.quality import MEASURES
from ectopy.signal.state_replace import replace

TRUNK, _TEMPLATES, _LEADS = "trunk", "templates", "leads"
_LEAST_BLOCK_BYTES = 1024
_MOST_BEGINS = 8

_Rows = tuple[NDArray[Any], ...]
"""Rows of a window: one array for each of its paths."""


class _Window(NamedTuple):
    """Arrays of one length that slide: rows come at the end and go at the beginning."""

    axis: int
    paths: tuple[str, ...]

    @classmethod
    def of(cls, axis: int, prefix: str, names: str) -> _Window:
        """Name the fields of one state."""
        return cls(axis, tuple(f"{prefix}.{name}" for name in names.split()))

    def part(self, rows: _Rows, stretch: slice) -> _Rows:
        """Return a stretch of rows."""
        index = (slice(None),) * self.axis + (stretch,)
        return tuple(array[index] for array in rows)

    def joined(self, parts: Iterable[_Rows]) -> _Rows:
        """Join stretches in their order."""
        return tuple(np.concatenate(columns, self.axis) for columns in zip(*parts, strict=True))

    def length(self, rows: _Rows) -> int:
        """Return the number of rows."""
        return int(rows[0].shape[self.axis])


_DETECTION = "signal.detection"
_FRONT = f"{_DETECTION}.frontend"
_BEATS = "times_s samples readable prematurity delay irregularity rr_s"
_RINGS: dict[str, dict[str, _Window]] = {
    "signal": {
        "filtered": _Window.of(1, f"{_DETECTION}.cut.latest", "signal"),
    },
    "beats": {
        "recent": _Window.of(0, "signal.recent", _BEATS),
        "learning": _Window(
            0, (*_Window.of(0, f"{_DETECTION}.learning.beats", _BEATS).paths, f"{_DETECTION}.learning.heights_mv")
        ),
    },
    "minutes": {
        "heights": _Window.of(1, f"{_FRONT}.evidence.leads", "heights"),
        "quality": _Window.of(1, f"{_FRONT}.quality.earlier", "means spans"),
        "intervals": _Window.of(0, f"{_DETECTION}.cut.intervals", "rr_s"),
        "predictions": _Window.of(0, f"{_DETECTION}.last.before.intervals", "expected latest"),
        "beat heights": _Window.of(1, f"{_DETECTION}.heights", "recent_mv"),
    },
    "block": {"normal beats": _Window.of(0, f"{_DETECTION}.adaptation", "kept")},
}
"""Windows by name, those that keep their rows for about as long together."""


class _Copy(NamedTuple):
    """Columns that usually are those of another array, in front of the last `behind` of them."""

    path: str
    source: str
    behind: str = ""
    head: int = 0

    def columns(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return what may be a copy, shape (leads, k)."""
        return array if array.ndim == 2 else np.moveaxis(array[self.head :], 0, 1)[:, :, 0]

    def stretch(self, state: MonitorState, length: int) -> NDArray[Any] | None:
        """Return the columns of the other array; None if it has not as many."""
        whole = _value(state, self.source)
        behind = _value(state, self.behind).shape[1] if self.behind else 0
        begin = whole.shape[1] - behind - length
        stretch: NDArray[Any] = whole[:, begin : begin + length]
        return stretch if begin >= 0 else None

    def without(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return what remains of an array."""
        return array[:, :0] if array.ndim == 2 else array[: self.head]

    def restored(self, remainder: NDArray[Any], columns: NDArray[Any]) -> NDArray[Any]:
        """Return the array again."""
        if remainder.ndim == 2:
            return columns.copy()
        return np.concatenate([remainder, columns.T[:, :, None]])


_FILTERED, _CLEANED = f"{_DETECTION}.cut.latest.signal", f"{_FRONT}.quality.cleaned"
_COPIES = {
    "second": _Copy(f"{_FRONT}.quality.earlier.second", _FILTERED, behind=_CLEANED, head=MEASURES),
    "cleaned": _Copy(_CLEANED, _FILTERED),
    "fast": _Copy(f"{_FRONT}.quality.fast.recent", _FILTERED),
    "band": _Copy(f"{_FRONT}.fibrillation.band.recent", _FILTERED),
    "early": _Copy(f"{_FRONT}.evidence.band.recent", f"{_FRONT}.filters.waiting"),
}
"""In the order in which they are left out; they are restored in the reverse order."""

_AS_RECORDED = {"samples": f"{_FRONT}.quality.samples"}
"""Arrays of float64 whose values are usually those of float32."""

_FLAGS = {
    "filters": f"{_FRONT}.filters.missing",
    "quality": f"{_FRONT}.quality.missing",
    "fibrillation": f"{_FRONT}.fibrillation.absent",
    "cut": f"{_DETECTION}.cut.latest.missing",
}
"""Arrays that are false unless samples are missing."""

_WAVE, _BAND = f"{_FRONT}.fibrillation.wave", f"{_FRONT}.fibrillation.band"

_TEMPLATE_PATHS = ("normal", f"{_DETECTION}.baseline.normal", f"{_DETECTION}.adaptation.earlier")


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of rows: the number in its name, and how many rows of each window it has."""

    number: int
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Ring:
    """How rows of one ring are stored: full blocks in order, and the rows that came after them."""

    blocks: tuple[_Block, ...] = ()
    open: dict[str, tuple[NDArray[Any], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Derived:
    """Arrays that are made from others, or from less.

    Attributes
    ----------
    copies : dict of str to int
        Columns of those `_COPIES` that are such.
    recorded : dict of str to ndarray of float32
        Those of `_AS_RECORDED` whose values are such.
    flags : dict of str to int
        Columns of those `_FLAGS` that are false.
    wave : int or None
        Columns of the wave of fibrillation, where it is computed again.
    """

    copies: dict[str, int] = field(default_factory=dict)
    recorded: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    wave: int | None = None


@dataclass(frozen=True, slots=True)
class _Trunk:
    """The part that is written with every step.

    Attributes
    ----------
    state : MonitorState
        Without what the other fields and parts hold.
    lengths : dict of str to int
        Of each window.
    """

    version: int
    state: MonitorState
    lengths: dict[str, int]
    derived: _Derived
    rings: dict[str, _Ring]


@dataclass(frozen=True, slots=True)
class _RowsPart:
    """The part of a block, by window."""

    version: int
    rows: dict[str, tuple[NDArray[Any], ...]]


@dataclass(frozen=True, slots=True)
class _TemplatesPart:
    """The part of the patient's normals: each template once, and where it belongs, in the order of the paths."""

    version: int
    templates: tuple[PatientTemplate, ...]
    places: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class _LeadsPart:
    """The part of the leads of former segments."""

    version: int
    leads: dict[str, LeadMemory]


@dataclass(frozen=True, slots=True)
class StoredState:
    """A state, and how its windows lie in blocks."""

    __repr__ = short_repr

    state: MonitorState
    rings: dict[str, _Ring]


@dataclass(frozen=True, slots=True)
class PartChanges:
    """Parts to write, and names of those to remove; what is in neither stays as it is.

    Attributes
    ----------
    written : dict of str to bytes
        By name of the part.
    removed : tuple of str
    """

    written: dict[str, bytes]
    removed: tuple[str, ...] = ()


def split(state: MonitorState) -> tuple[StoredState, PartChanges]:
    """Divide a state that is not stored yet."""
    return _changed(None, state)


def changed_parts(before: StoredState, state: MonitorState) -> tuple[StoredState, PartChanges]:
    """Return what has to be written of the next state of a patient, so that its parts join to it."""
    return (before, PartChanges({})) if state is before.state else _changed(before, state)


def _changed(before: StoredState | None, state: MonitorState) -> tuple[StoredState, PartChanges]:
    old = None if before is None else before.state
    written: dict[str, bytes] = {}
    removed: list[str] = []
    values: dict[str, object] = {}
    # Windows: rows that are new go to the open block of their ring, which becomes a part of its own when it is full.
    rings: dict[str, _Ring] = {}
    lengths: dict[str, int] = {}
    for name, windows in _RINGS.items():
        ring = _Ring() if before is None else before.rings[name]
        contents = {key: rows for key, window in windows.items() if (rows := _get(state, window)) is not None}
        news = {key: _new_rows(windows[key], _get(old, windows[key]), rows) for key, rows in contents.items()}
        ring_lengths = {key: windows[key].length(rows) for key, rows in contents.items()}
        rings[name] = _advance(name, ring, news, ring_lengths, written, removed)
        lengths |= ring_lengths
        for key, rows in contents.items():
            values |= zip(windows[key].paths, windows[key].part(rows, slice(0)), strict=True)
    derived = _Derived() if state.signal is None else _derived(state, values)
    # What changes rarely.
    templates = [_value(state, path) for path in _TEMPLATE_PATHS]
    if old is None or any(
        template is not _value(old, path) for path, template in zip(_TEMPLATE_PATHS, templates, strict=True)
    ):
        written[_TEMPLATES] = encode(_templates_part(templates))
    if old is None or state.leads is not old.leads:
        written[_LEADS] = encode(_LeadsPart(SNAPSHOT_VERSION, state.leads))
    values |= {path: None for path, template in zip(_TEMPLATE_PATHS, templates, strict=True) if template is not None}
    values["leads"] = {}
    written[TRUNK] = encode(_Trunk(SNAPSHOT_VERSION, _with(state, values), lengths, derived, rings))
    return StoredState(state, rings), PartChanges(written, tuple(removed))


def join(parts: Mapping[str, bytes]) -> StoredState:
    """Join all parts of a patient to the very state that was divided.

    Raises
    ------
    DataError
        If a part is missing or damaged, or a newer Ectopy wrote it.
    """
    trunk = _read(parts, TRUNK, _Trunk)
    values: dict[str, object] = {}
    for name, windows in _RINGS.items():
        ring = trunk.rings.get(name, _Ring())
        blocks = [_read(parts, _block_name(name, block.number), _RowsPart).rows for block in ring.blocks]
        for key, window in windows.items():
            if key in trunk.lengths:
                rows = _last_rows(window, trunk.lengths[key], [*blocks, ring.open], key)
                if rows is not None:
                    values |= zip(window.paths, rows, strict=True)
    state = _with_derived(_with(trunk.state, values), trunk.derived)
    rare: dict[str, object] = {}
    templates = _read(parts, _TEMPLATES, _TemplatesPart)
    for path, place in zip(_TEMPLATE_PATHS, templates.places, strict=True):
        if place is not None:
            rare[path] = templates.templates[place]
    rare["leads"] = _read(parts, _LEADS, _LeadsPart).leads
    return StoredState(_with(state, rare), trunk.rings)


# Windows


def _new_rows(window: _Window, before: _Rows | None, after: _Rows) -> _Rows:
    """Return the rows that come after those that are there already; all rows where the window has not slid."""
    if before is None or any(old.dtype != new.dtype for old, new in zip(before, after, strict=True)):
        return after
    old, new = (tuple(np.moveaxis(array, window.axis, 0) for array in rows) for rows in (before, after))
    if any(row.shape[1:] != other.shape[1:] for row, other in zip(old, new, strict=True)):
        return after
    length = len(new[0])
    for begin in _possible_begins(old[0], new[0]):
        count = len(old[0]) - begin
        if count <= length and all(_same(row[begin:], other[:count]) for row, other in zip(old, new, strict=True)):
            return window.part(after, slice(count, None))
    return after


def _possible_begins(before: NDArray[Any], after: NDArray[Any]) -> list[int]:
    """Return rows of the former window at which the present one may begin, the first few of them."""
    if not len(before) or not len(after):
        return []
    bits = np.ascontiguousarray(before).view(np.uint8).reshape(len(before), -1)
    first = np.ascontiguousarray(after[:1]).view(np.uint8).reshape(1, -1)
    begins: list[int] = np.flatnonzero((bits == first).all(axis=1))[:_MOST_BEGINS].tolist()
    return begins


def _advance(
    name: str,
    ring: _Ring,
    news: Mapping[str, _Rows],
    lengths: Mapping[str, int],
    written: dict[str, bytes],
    removed: list[str],
) -> _Ring:
    """Append new rows to a ring, and let go of blocks that no window reaches any more."""
    windows = _RINGS[name]
    opened: dict[str, tuple[NDArray[Any], ...]] = {}
    for key, rows in news.items():
        window, length = windows[key], lengths[key]
        old = ring.open.get(key)
        count = window.length(rows)
        if old is not None and count < length:
            rows = window.joined([old, rows]) if count else old
        if length and window.length(rows):
            opened[key] = window.part(rows, slice(max(window.length(rows) - length, 0), None))
    missing = {
        key: length - (windows[key].length(opened[key]) if key in opened else 0) for key, length in lengths.items()
    }
    blocks: list[_Block] = []
    for block in reversed(ring.blocks):
        if any(missing.get(key, 0) > 0 for key in block.rows):
            blocks.append(block)
            missing = {key: count - block.rows.get(key, 0) for key, count in missing.items()}
    blocks.reverse()
    live = {block.number for block in blocks}
    free = [block.number for block in ring.blocks if block.number not in live]
    if sum(array.nbytes for rows in opened.values() for array in rows) >= _LEAST_BLOCK_BYTES:
        number = free.pop() if free else next(number for number in range(len(live) + 1) if number not in live)
        blocks.append(_Block(number, {key: windows[key].length(rows) for key, rows in opened.items()}))
        written[_block_name(name, number)] = encode(_RowsPart(SNAPSHOT_VERSION, opened))
        opened = {}
    removed += [_block_name(name, number) for number in free]
    return _Ring(tuple(blocks), opened)


def _last_rows(
    window: _Window, length: int, blocks: list[dict[str, tuple[NDArray[Any], ...]]], key: str
) -> _Rows | None:
    """Return the last rows of blocks in their order; None for no rows."""
    parts: list[_Rows] = []
    for block in reversed(blocks):
        rows = block.get(key)
        if length <= 0 or rows is None:
            continue
        if len(rows) != len(window.paths) or any(array.ndim <= window.axis for array in rows):
            raise DataError(f"the stored rows of {key!r} are damaged.")
        count = window.length(rows)
        parts.append(window.part(rows, slice(max(count - length, 0), None)))
        length -= count
    if length > 0:
        raise DataError(f"stored rows of {key!r} are missing.")
    return window.joined(reversed(parts)) if parts else None


def _block_name(ring: str, number: int) -> str:
    return f"{ring}/{number}"


# Arrays that are made from others


def _derived(state: MonitorState, values: dict[str, object]) -> _Derived:
    """Return what can be made from others, and put what remains of it into `values`."""
    copies, recorded, flags = {}, {}, {}
    for name, copy in _COPIES.items():
        array = _value(state, copy.path)
        columns = copy.columns(array)
        stretch = copy.stretch(state, columns.shape[1])
        if stretch is not None and _same(columns, stretch):
            copies[name] = columns.shape[1]
            values[copy.path] = copy.without(array)
    for name, path in _AS_RECORDED.items():
        array = _value(state, path)
        single = array.astype(np.float32)
        if _same(single.astype(np.float64), array):
            recorded[name] = single
            values[path] = array[:, :0]
    for name, path in _FLAGS.items():
        array = _value(state, path)
        if not array.any():
            flags[name] = array.shape[1]
            values[path] = array[:, :0]
    wave = _value(state, _WAVE)
    wave_now = recomputed_wave(_value(state, _BAND), _value(state, _FILTERED), wave.shape[1])
    if wave_now is None or not _same(wave_now, wave):
        return _Derived(copies, recorded, flags)
    values[_WAVE] = wave[:, :0]
    return _Derived(copies, recorded, flags, wave.shape[1])


def _with_derived(state: MonitorState, derived: _Derived) -> MonitorState:
    """Make the arrays again."""
    values: dict[str, object] = {}
    for name, array in derived.recorded.items():
        values[_AS_RECORDED[name]] = array.astype(np.float64)
    for name, length in derived.flags.items():
        values[_FLAGS[name]] = np.zeros((len(_value(state, _FLAGS[name])), length), np.bool_)
    state = _with(state, values)
    for name, length in reversed(derived.copies.items()):
        copy = _COPIES[name]
        columns = copy.stretch(state, length)
        if columns is None:
            raise DataError(f"the stored columns of {name!r} are missing.")
        state = _with(state, {copy.path: copy.restored(_value(state, copy.path), columns)})
    if derived.wave is None:
        return state
    wave = recomputed_wave(_value(state, _BAND), _value(state, _FILTERED), derived.wave)
    if wave is None:
        raise DataError("the stored signal is too short.")
    return _with(state, {_WAVE: wave.copy()})


# Parts

_Part = TypeVar("_Part", _Trunk, _RowsPart, _TemplatesPart, _LeadsPart)


def _read(parts: Mapping[str, bytes], name: str, kind: type[_Part]) -> _Part:
    content = parts.get(name)
    if content is None:
        raise DataError(f"the part {name!r} of a stored state is missing.")
    readable_version(content)
    return decode(kind, content)


def _templates_part(templates: Sequence[PatientTemplate | None]) -> _TemplatesPart:
    unique: list[PatientTemplate] = []
    places: list[int | None] = []
    for template in templates:
        if template is None:
            places.append(None)
            continue
        place = next((place for place, other in enumerate(unique) if other is template), len(unique))
        if place == len(unique):
            unique.append(template)
        places.append(place)
    return _TemplatesPart(SNAPSHOT_VERSION, tuple(unique), tuple(places))


# Values by path


def _get(state: MonitorState | None, window: _Window) -> _Rows | None:
    """Return the arrays of a window; None where the state has no such window now."""
    arrays = tuple(_value(state, path) for path in window.paths)
    return None if any(array is None for array in arrays) else arrays


def _value(state: object, path: str) -> Any:
    """Return the value at a path; None where a state on the way is None."""
    value = state
    for name in _names(path):
        if value is None:
            return None
        value = getattr(value, name)
    return value


def _with(state: MonitorState, values: Mapping[str, object]) -> MonitorState:
    """Return a state with other values at these paths."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        *way, last = _names(path)
        branch = tree
        for name in way:
            branch = branch.setdefault(name, {})
        branch[last] = _Leaf(value)
    changed: MonitorState = _grafted(state, tree)
    return changed


class _Leaf(NamedTuple):
    value: object


def _grafted(state: Any, tree: dict[str, Any]) -> Any:
    changes = {
        name: branch.value if isinstance(branch, _Leaf) else _grafted(getattr(state, name), branch)
        for name, branch in tree.items()
    }
    return replace(state, **changes)


@cache
def _names(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def _same(array: NDArray[Any], other: NDArray[Any]) -> bool:
    """Return whether two arrays are equal to the last bit."""
    return array.dtype == other.dtype and array.shape == other.shape and array.tobytes() == other.tobytes()
