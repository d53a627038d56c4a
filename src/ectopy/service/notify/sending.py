"""One attempt to send: over HTTP or through Apprise; what goes wrong is an answer, not an exception."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from ssl import SSLError, create_default_context

import httpx
import msgspec
from apprise import Apprise, AppriseResultStatus, NotifyFormat, NotifyType

from ectopy import __version__
from ectopy.service.notify.messages import Message, body, printable_line, subject
from ectopy.service.notify.signature import sign
from ectopy.service.notify.targets import AppriseTarget, Target, WebhookTarget

_RECEIPT_CHARACTERS = 200
_TRY_AGAIN = frozenset({408, 409, 425})
_BUSY = frozenset({429, 502, 503, 504})


class Outcome(StrEnum):
    """Outcome of an attempt.

    ACCEPTED: the target has the message. REJECTED: it never will. FAILED: this message may be tried again. DOWN: the
    target takes no message now.
    """

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FAILED = "failed"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of a target, which wants to be left alone for `retry_after_s`.

    `text` is an HTTP status and the first 200 characters, or what Apprise says.
    """

    outcome: Outcome
    text: str
    retry_after_s: float = 0.0


def send(target: Target, key: str, messages: Sequence[Message], now: float) -> Answer:
    """Send messages to a target, once; the key is the same for every attempt with these messages."""
    match target:
        case WebhookTarget():
            return _post(target, key, messages, now)
        case AppriseTarget():
            return _notify(target, messages)


def _post(target: WebhookTarget, key: str, messages: Sequence[Message], now: float) -> Answer:
    content = msgspec.json.encode({"type": "ectopy.alarms", "messages": messages})
    headers = {
        "content-type": "application/json",
        "user-agent": f"Ectopy/{__version__}",
        **sign(target.secret, key, now, content),
    }
    # Redirects are not followed: a message for one address goes to no other.
    try:
        with (
            httpx.Client(verify=create_default_context(), timeout=target.timeout_s) as client,
            client.stream("POST", target.url, content=content, headers=headers) as response,
        ):
            return _answer(response, now)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(Outcome.DOWN, _reason(error, target.timeout_s))


def _answer(response: httpx.Response, now: float) -> Answer:
    text = f"{response.status_code} {_beginning(response)}".strip()
    return Answer(_outcome(response.status_code), text, _retry_after_s(response.headers.get("retry-after", ""), now))


def _beginning(response: httpx.Response) -> str:
    """Return the first characters of the answer; the status counts even when they do not come."""
    try:
        piece = next(response.iter_raw(), b"")
    except httpx.HTTPError:
        return ""
    return _receipt(piece.decode("utf-8", "replace"))


def _reason(error: Exception, timeout_s: float) -> str:
    """Say what is wrong, without the words of the error: they may hold the URL."""
    match error:
        case httpx.TimeoutException():
            return f"no answer within {timeout_s:g} s"
        case httpx.RemoteProtocolError():
            return "an answer that is not HTTP"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SSLError):
            return "no encrypted connection; see the certificate"
        cause = cause.__cause__ or cause.__context__
    return "no connection"


def _outcome(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome.ACCEPTED
    if status in _BUSY:
        return Outcome.DOWN
    if 400 <= status < 500 and status not in _TRY_AGAIN:
        return Outcome.REJECTED
    return Outcome.FAILED


def _retry_after_s(value: str, now: float) -> float:
    """Return the seconds that a target asks for by a number or a date; 0 where it asks for none."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).replace(tzinfo=UTC).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0


def _notify(target: AppriseTarget, messages: Sequence[Message]) -> Answer:
    people = Apprise([target.service()])
    result = people.notify(
        body=body(messages),
        title=subject(messages),
        notify_type=NotifyType.WARNING,
        body_format=NotifyFormat.TEXT,
        timeout=target.timeout_s,
    )
    text = " ".join([result.status.name.lower(), *(entry.message for entry in result.logs())])
    outcomes = {AppriseResultStatus.SUCCESS: Outcome.ACCEPTED, AppriseResultStatus.TIMEOUT: Outcome.DOWN}
    return Answer(outcomes.get(result.status, Outcome.FAILED), _receipt(text))


def _receipt(text: str) -> str:
    return printable_line(text[:_RECEIPT_CHARACTERS])
