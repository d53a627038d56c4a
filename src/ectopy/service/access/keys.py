"""Keys and other secrets, and what a key allows."""

from __future__ import annotations

import hashlib
import re
import secrets
from enum import StrEnum

_PREFIX = "ectopy_"
_BYTES = 32
_KEY = re.compile(r"ectopy_[A-Za-z0-9_-]{43}", re.ASCII)


class Scope(StrEnum):
    """A permission of a key; `ADMINISTER` allows the others too.

    `SEND` allows to send samples of patients or devices that the key names, and nothing else; `CORRECT` to correct the
    beats and the report of recordings.
    """

    SEND = "send"
    UPLOAD = "upload"
    VIEW = "view"
    CORRECT = "correct"
    ACKNOWLEDGE = "acknowledge"
    ADMINISTER = "administer"


def new_secret() -> str:
    """Return a new key: ``ectopy_`` and 43 characters from 256 random bits.

    Examples
    --------
    >>> len(new_secret())
    50
    """
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def is_key(text: str) -> bool:
    """Check that a text looks like a key."""
    return _KEY.fullmatch(text) is not None


def digest(secret: str) -> str:
    """Return the digest under which a secret is stored; random bits need no slow hash."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def derive(secret: str, purpose: str) -> str:
    """Return another secret, from which the first cannot be computed."""
    return digest(f"{purpose}:{secret}")
