"""One sender at a time for each patient, and an alarm where another one tries."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ectopy.errors import EctopyError
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.monitor.technical import NO_DATA_S

TWO_SENDERS = "two senders"

_MOST_NAMED = 4


class OccupiedError(EctopyError):
    """Another sender sends for the patient; one sentence names it."""


@dataclass(slots=True)
class _Line:
    """The sender of a patient, its stream and the time of its last samples; and when others have last tried."""

    sender: str
    stream: str
    at: float
    rivals: dict[str, float]


class Senders:
    """The senders, by patient; `clock` gives seconds since 1970.

    The monitor cannot tell samples of two senders apart: those of one would displace those of the other. So the first
    one is the only one until it has sent nothing for `NO_DATA_S`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}

    def claim(self, patient: str, sender: str, stream: str) -> None:
        """Note that a sender sends for a patient; an `OccupiedError` if another one does already."""
        now = self._clock()
        with self._lock:
            line = self._lines.get(patient)
            # A clock that is set back ends no line, and holds none.
            if line is None or line.sender == sender or abs(now - line.at) >= NO_DATA_S:
                rivals = {} if line is None else line.rivals
                rivals.pop(sender, None)
                self._lines[patient] = _Line(sender, stream, now, rivals)
                return
            line.rivals[sender] = now
            for name in sorted(line.rivals, key=line.rivals.__getitem__)[:-_MOST_NAMED]:
                del line.rivals[name]
        raise OccupiedError(
            f"samples of {patient!r} come from {line.sender} already; "
            f"stop it, and this one is taken {NO_DATA_S:g} s later."
        )

    def owns(self, patient: str, sender: str, stream: str) -> bool:
        """Return whether the newest samples of this stream came from this sender."""
        with self._lock:
            line = self._lines.get(patient)
            return line is not None and (line.sender, line.stream) == (sender, stream)

    def reading(self, patient: str) -> ConditionReading:
        """Judge ``two senders``: present while another sender has tried within the last `NO_DATA_S`."""
        now = self._clock()
        with self._lock:
            line = self._lines.get(patient)
            if line is None:
                return ConditionReading(TWO_SENDERS, False)
            line.rivals = {name: at for name, at in line.rivals.items() if abs(now - at) < NO_DATA_S}
            if not line.rivals:
                return ConditionReading(TWO_SENDERS, False)
            names = " and ".join(line.rivals)
            return ConditionReading(
                TWO_SENDERS, True, f"Samples come from {line.sender}, and are refused from {names}."
            )
