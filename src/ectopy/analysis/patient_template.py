"""A patient's template: the shape and regularity of their usual beats, and its file.

`template_learning` learns it from beats, and `template_comparison` compares beats with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import checked
from ectopy.errors import DataError
from ectopy.files import array_bytes, atomic_path, packed, read_array, unpacked
from ectopy.presentation import short_repr
from ectopy.signal.beat_segments import AFTER, BEFORE
from ectopy.signal.state_replace import replace

LEARNING_S = 300.0
MAX_BASELINE_BYTES = 2**20
LEAST_IRREGULARITY = 0.05
QRS = slice(BEFORE - 22, BEFORE + 28)
"""The samples of the QRS complex in a beat segment."""
LEAST_AMPLITUDE_MV = 0.1
UNKNOWN_SPREAD_MV = 0.1


@dataclass(frozen=True, slots=True)
class PatientTemplate:
    """Usual beat and regularity of one patient.

    Attributes
    ----------
    template : ndarray of float64, shape (leads, 140)
        The usual beat, millivolt at 180 Hz, median 0.
    clearness : ndarray of float64, shape (leads,)
        Energy of the template's QRS complex over that of the difference of the usual beats; a lead's weight. 0 = not
        readable.
    spread : ndarray of float64, shape (leads, 140)
        Usual distance of each sample of the learned beats from the template, millivolt.
    irregularity : float
        Spread of the prematurity of the learned beats.
    beats : int
        Number of beats it was learned from.
    leads : tuple of str
    usual_difference : float
        Difference from the template, as `BeatDifference.shape`, that seven in ten of the learned beats exceed; 0 = not
        known.
    """

    __repr__ = short_repr

    template: NDArray[np.float64]
    clearness: NDArray[np.float64]
    spread: NDArray[np.float64]
    irregularity: float
    beats: int
    leads: tuple[str, ...]
    usual_difference: float = 0.0

    def for_leads(self, leads: tuple[str, ...]) -> PatientTemplate | None:
        """Return the template for other leads: unknown ones get no weight; None if all are unknown."""
        if leads == self.leads:
            return self
        rows = [self.leads.index(lead) if lead in self.leads else None for lead in leads]
        template = np.stack([np.zeros(BEFORE + AFTER) if row is None else self.template[row] for row in rows])
        clearness = np.array([0.0 if row is None else self.clearness[row] for row in rows])
        if not clearness.any():
            return None
        unknown = np.full(BEFORE + AFTER, UNKNOWN_SPREAD_MV)
        spread = np.stack([unknown if row is None else self.spread[row] for row in rows])
        return replace(self, template=template, clearness=clearness, spread=spread, leads=leads)

    @checked
    def save(self, path: str | Path) -> None:
        """Write as an ``.npz`` file, atomically.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        facts = json.dumps(
            {
                "irregularity": self.irregularity,
                "beats": self.beats,
                "leads": self.leads,
                "usual_difference": self.usual_difference,
            }
        )
        arrays = {
            "template": self.template,
            "clearness": self.clearness,
            "spread": self.spread,
            "facts": np.array(facts),
        }
        content = packed({f"{name}.npy": array_bytes(array) for name, array in arrays.items()})
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(content)

    @classmethod
    @checked
    def load(cls, path: str | Path) -> PatientTemplate:
        """Read a file of `save`, without running any code in it.

        Raises
        ------
        DataError
            If the file is missing or is not a saved baseline.
        """
        try:
            with Path(path).open("rb") as file:
                content = file.read(MAX_BASELINE_BYTES + 1)
            stored = {name: read_array(member) for name, member in unpacked(content, MAX_BASELINE_BYTES).items()}
            facts = json.loads(str(stored["facts.npy"]))
            normal = cls(
                stored["template.npy"].astype(np.float64),
                stored["clearness.npy"].astype(np.float64),
                stored["spread.npy"].astype(np.float64),
                float(facts["irregularity"]),
                int(facts["beats"]),
                tuple(facts["leads"]),
                float(facts.get("usual_difference", 0.0)),
            )
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}; name a saved baseline.") from error
        except (DataError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{path} is not a baseline that Ectopy saved.") from error
        shape = len(normal.leads), BEFORE + AFTER
        if (normal.template.shape, normal.spread.shape, normal.clearness.shape) != (shape, shape, shape[:1]):
            raise DataError(f"{path} is not a baseline that Ectopy saved.")
        return normal
