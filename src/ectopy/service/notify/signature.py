"""Signed webhooks, by the Standard Webhooks specification 1.0.0: a receiver can use any library for it."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from hashlib import sha256

from ectopy.errors import DataError, SettingError

TOLERANCE_S = 300.0

_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)


def sign(secret: str, key: str, now: float, body: bytes) -> dict[str, str]:
    """Make the headers that prove who sent a message, and when.

    Parameters
    ----------
    secret : str
        ``whsec_`` and 24 to 64 bytes in base64.
    key : str
        Same for every attempt; holds no full stop.
    now : float
        Time of the attempt, seconds since 1970.
    body : bytes
        As it is sent.

    Raises
    ------
    SettingError
        If the secret is invalid.
    """
    timestamp = str(int(now))
    return {
        "webhook-id": key,
        "webhook-timestamp": timestamp,
        "webhook-signature": _signature(secret, key, timestamp, body),
    }


def verify(
    secret: str, headers: Mapping[str, str], body: bytes, now: float, *, tolerance_s: float = TOLERANCE_S
) -> str:
    """Check, as a receiver, who sent a message; return its ``webhook-id``.

    Parameters
    ----------
    secret : str
        The one the sender has.
    headers : mapping of str
        Of the request; upper and lower case are the same.
    body : bytes
        As it came, before any parsing.
    now : float
        Seconds since 1970.
    tolerance_s : float
        How far the time of sending may be from `now`, either way.

    Raises
    ------
    DataError
        If a header is missing, the time is too far away or no signature fits.
    SettingError
        If the secret is invalid.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    try:
        key, timestamp, signatures = (lowered[f"webhook-{part}"] for part in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise DataError(f"the header {error.args[0]} is missing; the message is not signed.") from None
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise DataError("the header webhook-timestamp must be whole seconds since 1970.")
    if abs(now - int(timestamp)) > tolerance_s:
        raise DataError(f"the message was sent more than {tolerance_s:g} s before or after now; set the clocks.")
    expected = _signature(secret, key, timestamp, body).encode()
    if not any(hmac.compare_digest(expected, signature.encode()) for signature in signatures.split()):
        raise DataError("no signature fits the message; compare the secrets of sender and receiver.")
    return key


def check_secret(secret: str) -> bytes:
    """Return the bytes of a secret; a `SettingError`, which does not show it, if it is invalid."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or len(key) not in _SECRET_BYTES:
        raise SettingError("a secret must be 'whsec_' and 24 to 64 random bytes in base64.")
    return key


def _signature(secret: str, key: str, timestamp: str, body: bytes) -> str:
    content = f"{key}.{timestamp}.".encode() + body
    digest = hmac.digest(check_secret(secret), content, sha256)
    return f"v1,{base64.b64encode(digest).decode()}"
