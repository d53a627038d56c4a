"""Files that are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import ectopy
from ectopy.errors import DataError


def refusal(path: Path, *, read: Callable[..., object] = ectopy.read, **stated: object) -> str:
    """The one sentence, with the path in it, with which a file is refused; as a recording, if nothing else reads it."""
    with pytest.raises(DataError) as caught:
        read(path, **stated)
    message = str(caught.value)
    assert message.endswith((".", "?"))
    assert "\n" not in message
    assert str(path) in message
    return message
