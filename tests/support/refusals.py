"""Files that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import ectopy
from ectopy.errors import DataError


def refusal(path: Path, **stated: object) -> str:
    """The one sentence, with the path in it, with which a recording is refused."""
    with pytest.raises(DataError) as caught:
        ectopy.read(path, **stated)
    message = str(caught.value)
    assert message.endswith((".", "?"))
    assert "\n" not in message
    assert str(path) in message
    return message
