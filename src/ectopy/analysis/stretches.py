"""Stretches of beats in which something holds, and episodes that go on across what hardly interrupts them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def stretches(flags: NDArray[np.bool_], interrupted: NDArray[np.bool_] | None = None) -> list[tuple[int, int]]:
    """First and last index of each stretch of true values; an interruption before an index ends a stretch there."""
    apart = np.zeros(len(flags), np.bool_) if interrupted is None else interrupted
    before, after = np.append(False, flags)[:-1], np.append(flags, False)[1:]
    firsts = np.flatnonzero(flags & (~before | apart))
    lasts = np.flatnonzero(flags & (~after | np.append(apart, False)[1:]))
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def episodes(
    beyond: NDArray[np.bool_],
    near: NDArray[np.bool_],
    times_s: NDArray[np.float64],
    intervals: int,
    *,
    apart_s: float,
    least_s: float = 0.0,
    may_join: Callable[[int, int], bool] = lambda first, last: True,
) -> list[tuple[int, int]]:
    """Find the episodes in which windows of RR intervals are beyond a limit.

    Parameters
    ----------
    beyond, near : ndarray of bool, shape (windows,)
        Window k has the intervals between the beats k and k + intervals. An episode goes on while windows are near.
    times_s : ndarray of float64, shape (beats,)
    intervals : int
        In a window; 0 where there is a window for each beat.
    apart_s : float
        Episodes that are less apart are one.
    least_s : float
        From the end of the first window beyond the limit to that of the last one, at least.
    may_join : callable
        Whether the beats from the first to the last of two such episodes may be one, as those that overlap always are.

    Returns
    -------
    list of (int, int)
        First beat of the first window beyond the limit, and last beat of the last one.
    """
    joined: list[tuple[int, int]] = []
    for start, stop in stretches(beyond | near):
        inside = start + np.flatnonzero(beyond[start : stop + 1])
        if not len(inside):
            continue
        first, last = int(inside[0]), int(inside[-1]) + intervals
        if times_s[last] - times_s[first + intervals] < least_s:
            continue
        if joined and times_s[first] - times_s[joined[-1][1]] < apart_s:
            before, end = joined[-1]
            if first <= end or may_join(before, last):
                joined.pop()
                first = before
        joined.append((first, last))
    return joined
