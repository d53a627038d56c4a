"""The command that shows a change of an alarm again."""

from __future__ import annotations

import math
import shlex

from ectopy.monitor.events import AlarmChanged


def replay_command(event: AlarmChanged, *words: str) -> str:
    """Return ``ectopy WORDS --from FROM --to TO``: whole seconds around the strip of the alarm and the change itself.

    Parameters
    ----------
    *words : str
        The command and what it watches, as in ``"watch", "holter.edf", "--fast"``.
    """
    from_s, to_s = math.floor(event.strip_s[0]), math.ceil(max(event.strip_s[1], event.at_s))
    start = ["--from", str(from_s)] if from_s else []
    return shlex.join(["ectopy", *words, *start, "--to", str(to_s)])


def stored_replay_command(event: AlarmChanged, patient: str) -> str:
    """Return the command for a patient of the service, whose samples are stored."""
    return replay_command(event, "what-if", "--stored", patient)
