"""Express a measure in one unit for everybody: how rare it is among normal beats of other people."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ectopy.errors import DataError
from ectopy.presentation import short_repr

QUANTILES = 1000
"""Number of values that a scale keeps of those of all normal beats."""

_TAIL = 990
_SHARES = (np.arange(QUANTILES) + 0.5) / QUANTILES
_RAREST, _COMMONEST = 1e-12, 1.0 - 1e-6
_LEAST_EXCESS = 1e-3


@dataclass(frozen=True, slots=True)
class NormalScale:
    """Distribution of a measure among normal beats.

    Attributes
    ----------
    quantiles : ndarray of float64, shape (1000,)
        In ascending order, of the shares 0.0005, 0.0015 ... 0.9995.
    """

    __repr__ = short_repr

    quantiles: NDArray[np.float64]
    _tail_starts: float = field(init=False, repr=False, compare=False)
    _usual_excess: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.quantiles.shape != (QUANTILES,) or not (np.diff(self.quantiles) >= 0).all():
            raise DataError(f"a scale needs {QUANTILES} ascending quantiles")
        starts = float(self.quantiles[_TAIL])
        object.__setattr__(self, "_tail_starts", starts)
        object.__setattr__(self, "_usual_excess", max(float(self.quantiles[_TAIL:].mean()) - starts, _LEAST_EXCESS))

    @property
    def lower_half_ends(self) -> float:
        """Return a value that half of the normal beats exceed: deviates below it are below 0."""
        return float(self.quantiles[QUANTILES // 2 - 1])

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> NormalScale:
        """Return the scale of one or more values of normal beats."""
        return cls(np.quantile(values, _SHARES))

    def deviates(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return standard normal deviates that are as rare as the values: 2.3 is exceeded by 1 % of normal beats.

        Beyond the last hundredth of the normal beats, where there are few, the tail is taken as exponential. NaN stays.
        """
        above = 1.0 - np.interp(values, self.quantiles, _SHARES)
        beyond = values > self._tail_starts
        if beyond.any():
            excess = (values[beyond] - self._tail_starts) / self._usual_excess
            above[beyond] = (1.0 - _SHARES[_TAIL]) * np.exp(-excess)
        deviates: NDArray[np.float64] = -ndtri(np.minimum(np.maximum(above, _RAREST), _COMMONEST))
        return deviates
