"""Facts about the training of a detector, for its model card."""

from __future__ import annotations

from dataclasses import dataclass, field

from ectopy.presentation import short_repr


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Loss during training, mean over the members.

    Attributes
    ----------
    steps : tuple of int
        Optimiser steps done at each point.
    training, held_out : tuple of float
        Loss on the normals a member trains on, and on those it never sees; same length as `steps`.
    """

    __repr__ = short_repr

    steps: tuple[int, ...] = ()
    training: tuple[float, ...] = ()
    held_out: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """Facts about the training, stored in the bundle.

    Attributes
    ----------
    architecture : str
        Name in `ectopy.training.ARCHITECTURES`.
    members : int
        Number of autoencoders in the graph, each trained without one part of the normals.
    random_state : int
        The seed.
    normals : int
        Number of normal beats in the training.
    source : str
        Their origin.
    digest : str
        `ectopy.beats.beats_digest` of them.
    versions : dict of str to str
        Versions of the software.
    curve : LearningCurve
    metrics : dict of str to float
        Figures measured at training; their names state the data.
    """

    __repr__ = short_repr

    architecture: str
    members: int
    random_state: int
    normals: int
    source: str
    digest: str
    versions: dict[str, str]
    curve: LearningCurve = field(default_factory=LearningCurve)
    metrics: dict[str, float] = field(default_factory=dict)
