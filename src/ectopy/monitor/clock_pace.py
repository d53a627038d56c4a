"""Clock of a stream: the time of stream second 0 follows the samples, and the drift of the device's clock is measured.

A device counts samples by a clock of its own, which runs a little fast or slow. The time of its samples is that of the
service as long as the newest sample, when it comes, is of now: where samples come too early the time of stream second 0
moves at once, and where the least late of them stay behind it is slewed, by at most 2 % of the time that passes. A
stream that is late for once, and catches up, moves nothing.

Where no second clock tells whether the service's was set forwards, samples that stay late by the same ten seconds or
more are taken for that, and the time moves at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import inf
from statistics import median

from ectopy.signal.state_replace import replace

LEAST_MOVE_S = 0.001
LATE_S = 10.0
"""From when on samples count as late, and not as on their way."""

_BLOCK_S = 10.0
_LONGEST_BLOCK_S = 60.0
_FASTEST_SLEW = 0.02
_CATCHING_UP = 0.05
_ANCHOR_S = 300.0
_MOST_ANCHORS = 13
_LEAST_SPAN_S = 900.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Lateness of the samples so far.

    Attributes
    ----------
    block : float or None
        When the present block of at least ten seconds began, seconds since 1970; None before the first samples.
    least_s : float
        How late the least late samples of the block were.
    before_s : float
        How late the last samples before it were.
    anchors : tuple of (float, float)
        Times at least five minutes apart, and the time of stream second 0 then; those of the last hour.
    """

    block: float | None = None
    least_s: float = inf
    before_s: float = 0.0
    anchors: tuple[tuple[float, float], ...] = ()

    def shifted(self, by_s: float) -> Pace:
        """The same after the service's clock was set by so much."""
        anchors = tuple((at + by_s, epoch + by_s) for at, epoch in self.anchors)
        return replace(self, block=None if self.block is None else self.block + by_s, anchors=anchors)

    @property
    def drift(self) -> float | None:
        """Seconds that the device's clock gains in a second of the service's, negative where it is slow.

        The median of the slopes between all pairs of anchors (Sen 1968, doi:10.1080/01621459.1968.10480934), which a
        single late stretch does not move. None until fifteen minutes are known.
        """
        if not self.anchors or self.anchors[-1][0] - self.anchors[0][0] < _LEAST_SPAN_S:
            return None
        pairs = combinations(self.anchors, 2)
        return -median((later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in pairs)


def follow(
    pace: Pace, epoch: float, received: float, end_s: float, *, sets_clock: bool, may_be_set: bool
) -> tuple[Pace, float]:
    """Follow a stream when samples come.

    Parameters
    ----------
    epoch : float
        Time of stream second 0, seconds since 1970.
    received : float
        When the samples came.
    end_s : float
        The stream second after the last of them.
    sets_clock : bool
        Whether samples that come too early move the time; those after a hole may have a wrong position instead.
    may_be_set : bool
        Whether the service's clock may have been set forwards without anybody saying so.
    """
    late_s = received - epoch - end_s
    if late_s < -LEAST_MOVE_S:
        if not sets_clock:
            return pace, epoch
        # Samples cannot come before they were recorded: second 0 was earlier, or the service's clock was set back.
        was_set = late_s < -LATE_S
        pace = pace.shifted(late_s) if was_set else replace(pace, least_s=0.0, before_s=pace.before_s - late_s)
        epoch, late_s = epoch + late_s, 0.0
    if pace.block is None:
        return Pace(received, late_s, late_s, ((received, epoch),)), epoch
    if late_s < pace.least_s:
        pace = replace(pace, least_s=late_s)
    passed_s = received - (pace.block or 0.0)
    if passed_s < _BLOCK_S:
        return pace, epoch
    # The block is over. Where all of it was late, and is not catching up, the time is slewed.
    move_s = 0.0
    if pace.least_s > LEAST_MOVE_S and late_s > pace.before_s - _CATCHING_UP * passed_s:
        move_s = min(pace.least_s, _FASTEST_SLEW * min(passed_s, _LONGEST_BLOCK_S))
        if may_be_set and min(pace.least_s, pace.before_s) > LATE_S:
            move_s = pace.least_s
            pace = pace.shifted(move_s)
    epoch, late_s, anchors = epoch + move_s, late_s - move_s, pace.anchors
    if received - anchors[-1][0] >= _ANCHOR_S:
        anchors = (*anchors, (received, epoch))[-_MOST_ANCHORS:]
    return Pace(received, late_s, late_s, anchors), epoch
