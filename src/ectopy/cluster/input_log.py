"""What is stored of the patients of a shard: now and then a whole state, and the inputs since then.

A state is a hundred times as large as what comes in a second, and a step makes the same state of the same inputs again.
So each step of a shard stores its inputs, all patients' in one part, and the whole states of one patient in `STEPS`.
Whoever takes over a shard reads the states, and steps them through the inputs since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from ectopy.errors import DataError
from ectopy.monitor import Input, Monitor, MonitorState
from ectopy.monitor.codec import INPUTS, decode, encode, kind_of
from ectopy.monitor.snapshot import SNAPSHOT_VERSION, decode_snapshot, readable_version

STATE = "state"
"""Part of a patient: the whole state, as it was after the step that the shard's index names."""

STEPS = 15
"""Steps in which each patient's state is stored once; the inputs of older steps are not kept."""

ReadPart = Callable[[str, str], bytes | None]
"""Reads a part, by patient and name; None if it is missing."""


@dataclass(frozen=True, slots=True)
class StoredInput:
    """An input, encoded."""

    kind: str
    content: bytes

    @classmethod
    def of(cls, input: Input) -> StoredInput:
        """Encode an input."""
        return cls(kind_of(input), encode(input))

    def decoded(self) -> Input:
        """Decode the input; a `DataError` if it is damaged."""
        kind = INPUTS.get(self.kind)
        if kind is None:
            raise DataError(f"{self.kind!r} is not a kind of input.")
        return decode(kind, self.content)


@dataclass(frozen=True, slots=True)
class StepInputs:
    """The inputs of one step of a shard, by patient, without those whose states were stored after it."""

    version: int
    step: int
    inputs: dict[str, tuple[StoredInput, ...]]


def part_name(step: int) -> str:
    """Name of the part with the inputs of a step, in place of those of `STEPS` steps before."""
    return f"inputs/{step % STEPS}"


def write_inputs(step: int, inputs: dict[str, tuple[StoredInput, ...]]) -> bytes:
    """Encode the inputs of a step."""
    return encode(StepInputs(SNAPSHOT_VERSION, step, inputs))


def read_inputs(content: bytes) -> StepInputs:
    """Decode the inputs of a step; a `DataError` if they are damaged, or a newer Ectopy wrote them."""
    readable_version(content)
    return decode(StepInputs, content)


def is_due(patient: str, stored_at: int, step: int) -> bool:
    """Return whether a changed state is to be stored after this step: patients take turns, each in `STEPS` steps."""
    return step - stored_at >= STEPS or (step - crc32(patient.encode())) % STEPS == 0


def restore(
    monitor: Monitor, read: ReadPart, shard: str, step: int, stored_at: Mapping[str, int]
) -> dict[str, MonitorState | DataError]:
    """Read the states of patients as they were before a step, and step them through the inputs since.

    Parameters
    ----------
    shard : str
        In place of a patient, for the parts with inputs.
    stored_at : mapping of str to int
        By patient, the step after which the state was stored.

    Returns
    -------
    dict of str to MonitorState or DataError
        Why a patient's state cannot be restored.
    """
    results: dict[str, MonitorState | DataError] = {}
    for patient in stored_at:
        try:
            results[patient] = _stored_state(read, patient)
        except DataError as error:
            results[patient] = error
    for earlier in range(min(stored_at.values(), default=step) + 1, step):
        patients = [patient for patient, at in stored_at.items() if at < earlier]
        try:
            inputs = _stored_inputs(read, shard, earlier)
        except DataError as error:
            results |= dict.fromkeys(patients, error)
            continue
        _replay(monitor, results, {patient: inputs.get(patient, ()) for patient in patients})
    return results


def _stored_state(read: ReadPart, patient: str) -> MonitorState:
    content = read(patient, STATE)
    if content is None:
        raise DataError("the stored state is missing.")
    return decode_snapshot(content)


def _stored_inputs(read: ReadPart, shard: str, step: int) -> dict[str, tuple[StoredInput, ...]]:
    content = read(shard, part_name(step))
    if content is None:
        raise DataError("stored inputs are missing.")
    part = read_inputs(content)
    if part.step != step:
        raise DataError(f"the stored inputs are those of step {part.step}, not of step {step}.")
    return part.inputs


def _replay(
    monitor: Monitor, results: dict[str, MonitorState | DataError], inputs: Mapping[str, Sequence[StoredInput]]
) -> None:
    """Step all patients together, an input of each at a time."""
    for place in range(max(map(len, inputs.values()), default=0)):
        steps: list[tuple[str, MonitorState, Input]] = []
        for patient, items in inputs.items():
            state = results[patient]
            if place < len(items) and isinstance(state, MonitorState):
                try:
                    steps.append((patient, state, items[place].decoded()))
                except DataError as error:
                    results[patient] = error
        outcomes = monitor.step_together([(state, input) for _, state, input in steps])
        for (patient, _, input), outcome in zip(steps, outcomes, strict=True):
            if isinstance(outcome, Exception):
                results[patient] = DataError(f"a stored {kind_of(input)} cannot be taken: {type(outcome).__name__}.")
            else:
                results[patient] = outcome[0]
