"""Why a query of Spark has failed, in a sentence for people."""

from __future__ import annotations

import re

_CAUSE = re.compile(r"(?:[a-z]\w*\.)+([A-Z]\w*(?:Exception|Error))(?=: ([^\n]*)|$)", re.MULTILINE)
_SENTENCES = {
    "TopicAuthorizationException": "there is no permission for a topic: {}; allow this user to use it",
    "SaslAuthenticationException": "the broker does not accept this user or password; check the file of --kafka-config",
    "SslAuthenticationException": "there is no secure connection to the broker; check the file of --kafka-config",
    "UnknownTopicOrPartitionException": "a topic is gone: {}; create it again, or start with a new checkpoint",
    "No space left on device": "the disk for checkpoints and state is full; make room on it",
    "TimeoutException": "the broker does not answer: {}",
    "Python worker exited unexpectedly": "a Python process of Spark has ended",
}
# What Spark puts around a cause, which changes from one attempt to the next.
_FRAME = re.compile(r"\[STREAM_FAILED\] Query \[.*?\] terminated with exception: | SQLSTATE: \w+")
_MOST_TEXT = 300


def reason_of(error: Exception) -> str:
    """Say why a query has failed: the cause at the bottom of Java's stack, or what is known to lie behind it."""
    text = _FRAME.sub("", str(error))
    causes = [f"{name}: {message}".removesuffix(": ") for name, message in _CAUSE.findall(text)]
    cause = (causes or [text.partition("\n")[0]])[-1][:_MOST_TEXT]
    for sign, sentence in _SENTENCES.items():
        if sign in text:
            return sentence.format(cause.partition(": ")[2]) + "."
    return f"{cause.rstrip('.')}."
