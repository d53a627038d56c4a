"""Parts of a data set."""

from __future__ import annotations

from typing import NamedTuple

from ectopy.beats import Beats


class Parts(NamedTuple):
    train: Beats
    test: Beats
