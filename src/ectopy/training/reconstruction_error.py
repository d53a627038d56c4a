"""Distance of a beat from its reconstruction, as part of the network: the deployed graph is what was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras import KerasTensor

_TINY = 1e-30


def tolerant_error(beats: KerasTensor, reconstruction: KerasTensor) -> KerasTensor:
    """Return how far each sample lies outside what the reconstruction allows within a small timing error.

    A QRS complex that comes one sample late is not an anomaly, yet it makes the largest plain difference of all. So a
    sample is compared with the range of the reconstruction over its neighbours, one to each side (the envelope of
    LB_Keogh, doi:10.1007/s10115-004-0154-9), and what is left is averaged, with its sign, over five samples, in which
    noise cancels and a misshapen wave does not; beyond the ends of the beat there is no error.

    Parameters
    ----------
    beats : KerasTensor, shape (batch, samples)
    reconstruction : KerasTensor, shape (batch, members, samples)

    Returns
    -------
    KerasTensor, shape (batch, members, samples)
        In the beats' unit; positive = above the reconstruction, 0 = within it.
    """
    from keras import ops

    before = ops.concatenate([reconstruction[..., :1], reconstruction[..., :-1]], axis=-1)
    after = ops.concatenate([reconstruction[..., 1:], reconstruction[..., -1:]], axis=-1)
    lower = ops.minimum(ops.minimum(reconstruction, before), after)
    upper = ops.maximum(ops.maximum(reconstruction, before), after)
    samples = beats[:, None, :]
    outside = samples - ops.minimum(ops.maximum(samples, lower), upper)
    padded = ops.pad(outside, ((0, 0), (0, 0), (2, 2)))
    pairs = padded[..., :-1] + padded[..., 1:]
    return (pairs[..., :-3] + pairs[..., 2:-1] + padded[..., 4:]) / 5


def cubic_mean_square(error: KerasTensor) -> KerasTensor:
    """Power mean, of order three, of the squared error over the samples.

    An abnormal wave is wrong in one place, an odd normal beat a little everywhere: to the ordinary mean they can be the
    same, while here the worst place counts for most.

    Parameters
    ----------
    error : KerasTensor, shape (batch, members, samples)

    Returns
    -------
    KerasTensor, shape (batch, members)
        In the beats' unit squared; between the ordinary mean of the squared error and its largest value.
    """
    from keras import ops

    squared = ops.square(error)
    # As shares of the largest, whose cubes neither overflow nor vanish, whatever the unit.
    largest = ops.maximum(ops.max(squared, axis=-1, keepdims=True), _TINY)
    share = squared / largest
    return largest[..., 0] * ops.power(ops.mean(ops.square(share) * share, axis=-1), 1 / 3)
