"""Watches a recording, or samples on standard input, with the monitor of one patient.

``sources`` gives the monitor its inputs; ``plan`` says what the events depend on, and how to see an alarm again;
``tally`` and ``album`` keep what is told and shown at the end, in bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ectopy.analysis.patient_template import PatientNormal
from ectopy.errors import LayoutError
from ectopy.monitor import Chunk, Event, Input, Monitor, MonitorState
from ectopy.reprs import short_repr
