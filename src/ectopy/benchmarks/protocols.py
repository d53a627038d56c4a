"""Protocols that divide ECG5000 into beats for training and beats for test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ectopy.beats import Beats
from ectopy.errors import MissingExtraError, SettingError
from ectopy.presentation import short_repr

OFFICIAL_TRAINING_BEATS = 500


@dataclass(frozen=True, slots=True)
class Trial:
    """A seed for the method, the normals of the training part as its only input, and labelled beats for the test."""

    __repr__ = short_repr

    seed: int
    normals: Beats
    test: Beats


def official(beats: Beats, seeds: int) -> Iterator[Trial]:
    """The official 500 training beats' 292 normals; the official 4,500 test beats."""
    rows = np.arange(len(beats))
    training, test = beats.select(rows[:OFFICIAL_TRAINING_BEATS]), beats.select(rows[OFFICIAL_TRAINING_BEATS:])
    for seed in range(seeds):
        yield Trial(seed, training.normals(), test)


def tutorial(beats: Beats, seeds: int) -> Iterator[Trial]:
    """The split of TensorFlow's tutorial, 80 / 20 with random_state 21; only the methods' seeds vary."""
    training, test = _split(beats, random_state=21, test_size=0.2)
    for seed in range(seeds):
        yield Trial(seed, training.normals(), test)


def resplit(beats: Beats, seeds: int) -> Iterator[Trial]:
    """A fresh split into 500 and 4,500 beats for each seed, stratified into normal and abnormal."""
    for seed in range(seeds):
        training, test = _split(beats, random_state=seed, train_size=OFFICIAL_TRAINING_BEATS, stratify=beats.abnormal)
        yield Trial(seed, training.normals(), test)


PROTOCOLS: dict[str, Callable[[Beats, int], Iterator[Trial]]] = {
    "official": official,
    "tutorial": tutorial,
    "resplit": resplit,
}


def trials(protocol: str, beats: Beats, seeds: int) -> Iterator[Trial]:
    """The trials of a protocol, one per seed.

    Parameters
    ----------
    protocol : {"official", "tutorial", "resplit"}
    beats : Beats
        All of ECG5000, the official training beats first.
    seeds : int

    Raises
    ------
    SettingError
        As `check_protocol`.
    """
    check_protocol(protocol, seeds)
    return PROTOCOLS[protocol](beats, seeds)


def check_protocol(protocol: str, seeds: int) -> None:
    """Raise SettingError if the protocol is unknown, or there is not at least one seed."""
    if protocol not in PROTOCOLS:
        raise SettingError(f"unknown protocol '{protocol}'; use one of {', '.join(PROTOCOLS)}.")
    if seeds < 1:
        raise SettingError(f"a benchmark needs at least one seed, not {seeds}.")


def _split(beats: Beats, **how: object) -> tuple[Beats, Beats]:
    try:
        from sklearn.model_selection import train_test_split
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("train", "this protocol") from error
    training, test = train_test_split(np.arange(len(beats)), **how)
    return beats.select(training), beats.select(test)
