"""How long work reports on its progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with how much is done, how much there is in all, and what goes on."""

StepProgress = Callable[[int, int], None]
"""Called with how many steps are done, and how many there are."""
