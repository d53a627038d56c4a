"""Kafka's brokers and how to sign in to them: from one file to the settings of every client, of Spark's too."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from ectopy.errors import ServiceError, SettingError, short_text

PROTOCOL, MECHANISM = "security.protocol", "sasl.mechanism"
USER, PASSWORD = "sasl.username", "sasl.password"
AUTHORITIES, CERTIFICATE = "ssl.ca.location", "ssl.certificate.location"
KEY, KEY_PASSWORD = "ssl.key.location", "ssl.key.password"
PROPERTIES = (PROTOCOL, MECHANISM, USER, PASSWORD, AUTHORITIES, CERTIFICATE, KEY, KEY_PASSWORD)
"""What a file may set, by the names of librdkafka."""

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MODULES = "org.apache.kafka.common.security"
_LOGIN_MODULES = {
    "PLAIN": f"{_MODULES}.plain.PlainLoginModule",
    "SCRAM-SHA-256": f"{_MODULES}.scram.ScramLoginModule",
    "SCRAM-SHA-512": f"{_MODULES}.scram.ScramLoginModule",
}
_FILES = (AUTHORITIES, CERTIFICATE, KEY)
_JAVA_KEYS = ("-----BEGIN PRIVATE KEY-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----")
_MOST_BYTES = 2**20
_ATTEMPT_S = 1.0
_SHORT_S = 3.0
_REFUSALS = {
    KafkaError._AUTHENTICATION: f"the broker does not accept this user or password; check {USER}, {PASSWORD} and "
    f"{MECHANISM}",
    KafkaError._SSL: f"there is no secure connection to the broker; check {AUTHORITIES} and {PROTOCOL}",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Brokers:
    """Kafka's brokers, as every client of this program reaches them.

    Attributes
    ----------
    addresses : str
        ``HOST:PORT``, several separated by commas.
    properties : mapping of str to str
        Some of `PROPERTIES`; never shown, for passwords are among them.
    """

    addresses: str
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)

    def client_settings(self) -> dict[str, Any]:
        """Return the settings that every client of librdkafka has; what it would print comes to its callbacks."""
        return {"bootstrap.servers": self.addresses, "log_level": 0, **self.properties}

    def spark_options(self) -> dict[str, str]:
        """Return the options of Spark's source and sink: Java's names, and files as their content.

        So no other machine needs the files.
        """
        properties = self.properties
        java = {"bootstrap.servers": self.addresses}
        java |= {name: properties[name] for name in (PROTOCOL, MECHANISM, KEY_PASSWORD) if name in properties}
        if MECHANISM in properties:
            module = _LOGIN_MODULES[properties[MECHANISM]]
            user, password = _quoted(properties[USER]), _quoted(properties[PASSWORD])
            java["sasl.jaas.config"] = f"{module} required username={user} password={password};"
        if AUTHORITIES in properties:
            java |= {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": _content(properties, AUTHORITIES)}
        if CERTIFICATE in properties:
            chain = {"ssl.keystore.certificate.chain": _content(properties, CERTIFICATE)}
            java |= {"ssl.keystore.type": "PEM", "ssl.keystore.key": _content(properties, KEY), **chain}
        return {f"kafka.{name}": value for name, value in java.items()}


def load_brokers(addresses: str, file: Path | None = None) -> Brokers:
    """Return brokers that are reached as a file says.

    Parameters
    ----------
    addresses : str
        ``HOST:PORT``, several separated by commas.
    file : Path or None
        Lines ``name=value``, of which the names are among `PROPERTIES`; lines that begin with # are comments. Paths
        are relative to its folder. Without a file, nothing is encrypted and nobody signs in.

    Raises
    ------
    SettingError
        If it cannot be read, or has something that is unknown, missing or invalid.
    """
    if file is None:
        return Brokers(addresses)
    properties = _read_properties(file)
    _check_whole(file, properties)
    paths = {name: str(file.parent / properties[name]) for name in _FILES if name in properties}
    brokers = Brokers(addresses, properties | paths)
    brokers.spark_options()
    try:
        AdminClient(brokers.client_settings())
    except KafkaException as error:
        raise SettingError(f"{file}: {short_text(error.args[0].str().rstrip('.'))}.") from error
    return brokers


class RefusalError(ServiceError):
    """A broker does not accept this client, or the client does not trust it."""


def connect(brokers: Brokers, patience_s: float = 10.0) -> AdminClient:
    """Return a client that has reached the brokers.

    Raises
    ------
    RefusalError
        If a broker was reached that does not accept this client, or that the client does not trust.
    ServiceError
        If none answers.
    """
    errors: list[KafkaError] = []
    admin = AdminClient(brokers.client_settings() | {"error_cb": errors.append})
    end = time.monotonic() + patience_s
    while True:
        try:
            admin.list_topics(timeout=_ATTEMPT_S)
        except KafkaException as error:
            reason = error.args[0]
        else:
            return admin
        # What was the matter comes to the callback.
        admin.poll(0)
        refusals = [error for error in errors if error.code() in _REFUSALS]
        if refusals:
            raise RefusalError(f"{brokers.addresses}: {describe(refusals[-1])}.")
        if time.monotonic() > end:
            raise ServiceError(f"no broker answers at {brokers.addresses}: {(errors or [reason])[-1].str()}.")


def check_access(brokers: Brokers) -> None:
    """Raise a `RefusalError` if the brokers refuse this client; that none answers may pass."""
    try:
        connect(brokers, _SHORT_S)
    except RefusalError:
        raise
    except ServiceError as error:
        _log.warning("%s", error)


def describe(error: KafkaError) -> str:
    """Say in words what a client of librdkafka reports; where it is about signing in, what to check."""
    sentence = _REFUSALS.get(error.code())
    return error.str() if sentence is None else sentence


def _read_properties(file: Path) -> dict[str, str]:
    properties: dict[str, str] = {}
    for number, line in enumerate(_text(file, str(file)).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, sign, value = map(str.strip, line.partition("="))
        if not sign:
            raise SettingError(f"{file}, line {number}: write NAME=VALUE.")
        if name not in PROPERTIES:
            raise SettingError(
                f"{file}, line {number}: there is no property {short_text(name)!r}; there are {', '.join(PROPERTIES)}."
            )
        properties[name] = value
    return properties


def _check_whole(file: Path, properties: Mapping[str, str]) -> None:
    protocol = properties.get(PROTOCOL, "")
    if protocol not in PROTOCOLS:
        raise SettingError(f"{file}: {PROTOCOL} is one of {', '.join(PROTOCOLS)}.")
    if protocol.startswith("SASL"):
        if properties.get(MECHANISM) not in _LOGIN_MODULES:
            raise SettingError(f"{file}: {protocol} needs {MECHANISM}, one of {', '.join(_LOGIN_MODULES)}.")
        needed = [USER, PASSWORD]
    else:
        needed = []
        unused = [name for name in (MECHANISM, USER, PASSWORD) if name in properties]
        if unused:
            raise SettingError(f"{file}: {unused[0]} needs {PROTOCOL}=SASL_SSL.")
    if CERTIFICATE in properties or KEY in properties:
        needed += [CERTIFICATE, KEY]
    for name in needed:
        if not properties.get(name):
            raise SettingError(f"{file}: {name} is missing.")


def _content(properties: Mapping[str, str], name: str) -> str:
    text = _text(Path(properties[name]), name)
    if name == KEY and not any(begin in text for begin in _JAVA_KEYS):
        raise SettingError(f"{KEY} is not a key in PKCS#8; 'openssl pkcs8 -topk8' makes one of it.")
    if "-----BEGIN " not in text:
        raise SettingError(f"{name} is not a file in PEM.")
    return text


def _text(file: Path, name: str) -> str:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise SettingError(f"{name} is larger than {_MOST_BYTES} bytes; name a file of settings.")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingError(f"{name} cannot be read: {reason}.") from error


def _quoted(text: str) -> str:
    """Quote a text as Java's login modules read it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
