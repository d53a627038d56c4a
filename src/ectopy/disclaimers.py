"""Statements on what Ectopy is not, and what its data cannot show: one wording for every place that says it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NOT_A_DEVICE = "Not a cleared medical device."
INTENDED_USE = "For research and for integration into other systems."
SECONDARY = "Secondary to a certified monitor, never in its place."
RESPONSIBILITY = "The organisation that deploys it carries the regulatory duty."

STATEMENTS = (NOT_A_DEVICE, INTENDED_USE, SECONDARY, RESPONSIBILITY)

STATEMENT = " ".join(STATEMENTS)
"""All of them in one line."""

DATA_STATEMENTS: Mapping[str, str] = MappingProxyType(
    {
        "ecg5000": (
            "ECG5000 is one patient: about 20 hours of one 48-year-old man with severe congestive "
            "heart failure, labelled by a program and never corrected. No figure on it says "
            "anything about a new patient."
        ),
        "simulated": ("Simulated beats are a drawing of an ECG. No figure on them says anything about a patient."),
    }
)
"""Limits of figures on beats of a layout, by the layout's name."""
