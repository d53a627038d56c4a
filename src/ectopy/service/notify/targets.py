"""Receivers of messages: settings, checked when they are made, and not in an emergency."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from apprise import Apprise, AppriseAsset, NotifyBase

from ectopy.errors import SettingError
from ectopy.service.notify.signature import check_secret

PriorityWord = Literal["high", "medium", "low"]

_LONGEST_TIMEOUT_S = 30.0
_MOST_TARGETS = 32
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Selects the messages for a target.

    Attributes
    ----------
    priorities : tuple of str
        Any of ``high``, ``medium``, ``low``.
    level : int
        Only alarms that were escalated at least so often.
    every_change : bool
        Every change of an alarm, not only when it is raised, escalated, back or ended.
    patient_name : bool
        Whether messages hold the patient's name beside the id.
    """

    priorities: tuple[PriorityWord, ...] = ("high", "medium", "low")
    level: int = 0
    every_change: bool = False
    patient_name: bool = False

    def __post_init__(self) -> None:
        if not self.priorities:
            raise SettingError("'priorities' must name at least one of high, medium and low.")
        if self.level < 0:
            raise SettingError(f"'level' must be at least 0, not {self.level}.")


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """An address that takes signed JSON.

    Attributes
    ----------
    name : str
    url : str
        https; or http on this machine, or with `insecure`. Never shown, for its path may be a secret too.
    secret : str
        ``whsec_`` and 24 to 64 random bytes in base64; never shown.
    wants : MessageFilter
    timeout_s : float
        How long to wait for a connection, and then for an answer; above 0, at most 30.
    insecure : bool
        Whether messages may leave this machine unencrypted.
    """

    name: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    wants: MessageFilter = MessageFilter()
    timeout_s: float = 10.0
    insecure: bool = False

    def __post_init__(self) -> None:
        _check_common(self.name, self.timeout_s)
        check_secret(self.secret)
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        plain = self.url.isascii() and self.url.isprintable() and " " not in self.url
        if not host or not plain or parts.scheme not in ("http", "https"):
            raise SettingError(f"the url of '{self.name}' must look like https://host/path.")
        if parts.username is not None:
            raise SettingError(f"the url of '{self.name}' must hold no user or password; messages are signed.")
        if parts.scheme == "http":
            _check_unencrypted(self.name, host, self.insecure)


@dataclass(frozen=True, slots=True)
class AppriseTarget:
    """People, by mail, chat, telephone or whatever else Apprise can do.

    Attributes
    ----------
    name : str
    url : str
        One Apprise URL; never shown. For a second one make a second target: it may fail alone and has its own receipts.
    wants : MessageFilter
    timeout_s : float
        How long sending may take; above 0, at most 30.
    insecure : bool
        Whether messages may leave this machine unencrypted, where the service can encrypt.
    """

    name: str
    url: str = field(repr=False)
    wants: MessageFilter = MessageFilter()
    timeout_s: float = 20.0
    insecure: bool = False

    def __post_init__(self) -> None:
        _check_common(self.name, self.timeout_s)
        service = self.service()
        protocols: Any = service.secure_protocol
        encrypted = (protocols,) if isinstance(protocols, str) else protocols or ()
        if encrypted and not service.secure and self.url.partition("://")[0].lower() not in encrypted:
            _check_unencrypted(self.name, getattr(service, "host", ""), self.insecure)

    def service(self) -> NotifyBase:
        """Return the Apprise object that sends.

        A `SettingError`, which does not show the URL, if Apprise does not know it.
        """
        asset = AppriseAsset(app_id="Ectopy", http_redirects=False, storage_mode="memory", interpret_emojis=False)
        service = Apprise.instantiate(self.url, asset=asset, suppress_exceptions=True)
        if service is None:
            raise SettingError(f"the url of '{self.name}' must be one that Apprise knows, such as mailtos://host.")
        return service


Target = WebhookTarget | AppriseTarget


def load_targets(path: Path) -> tuple[Target, ...]:
    """Read targets from a TOML file.

    Parameters
    ----------
    path : Path
        Tables ``[[webhook]]`` and ``[[apprise]]`` with the attributes of `WebhookTarget` and `AppriseTarget`; ``wants``
        is a table with those of `MessageFilter`::

            [[webhook]]
            name = "ward 3"
            url = "https://alarms.example.org/ectopy"
            secret = "whsec_..."

            [[apprise]]
            name = "on call"
            url = "mailtos://user:password@example.org"
            wants = { priorities = ["high"], level = 1 }

    Raises
    ------
    SettingError
        If the file cannot be read, or a setting is unknown, missing or outside what it may be. The message shows no
        URL and no secret.
    """
    tables = _read(path)
    targets = [target for kind in _KINDS for target in _targets(path, kind, tables.pop(kind, []))]
    if tables:
        raise SettingError(f"{path}: '{min(tables)}' is unknown; tables are [[webhook]] and [[apprise]].")
    if len(targets) > _MOST_TARGETS:
        raise SettingError(f"{path} names {len(targets)} targets; at most {_MOST_TARGETS} are possible.")
    check_names(targets)
    return tuple(targets)


def check_names(targets: Sequence[Target]) -> None:
    """Raise a `SettingError` where two targets have one name."""
    names = [target.name for target in targets]
    for name in names:
        if names.count(name) > 1:
            raise SettingError(f"two targets are named '{name}'; each needs its own name.")


_KINDS: Mapping[str, type[WebhookTarget] | type[AppriseTarget]] = {"webhook": WebhookTarget, "apprise": AppriseTarget}


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SettingError(f"cannot read {path}: {error.strerror or error}.") from error
    if len(content) > _MOST_BYTES:
        raise SettingError(f"{path} must be smaller than {_MOST_BYTES} bytes.")
    try:
        return tomllib.loads(content.decode())
    except ValueError:
        # The parser's own words may quote a secret.
        raise SettingError(f"{path} is not TOML in UTF-8.") from None


def _targets(path: Path, kind: str, tables: Any) -> list[Target]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingError(f"{path}: write a target as [[{kind}]].")
    targets: list[Target] = []
    for number, table in enumerate(tables, 1):
        where = f"{path}, {kind} {number}"
        _check_known(where, table, _KINDS[kind])
        if isinstance(table.get("wants"), dict):
            _check_known(where, table["wants"], MessageFilter)
        try:
            targets.append(msgspec.convert(table, _KINDS[kind]))
        except msgspec.ValidationError as error:
            raise SettingError(f"{where}: {error}") from None
    return targets


def _check_known(where: str, table: Mapping[str, object], kind: type) -> None:
    unknown = table.keys() - {setting.name for setting in fields(kind)}
    if unknown:
        raise SettingError(f"{where}: the setting '{min(unknown)}' is unknown.")


def _check_common(name: str, timeout_s: float) -> None:
    if not name or not name.isprintable() or len(name) > 100:
        raise SettingError("a target needs a name of 1 to 100 printable characters.")
    if not 0 < timeout_s <= _LONGEST_TIMEOUT_S:
        raise SettingError(f"'timeout_s' of '{name}' must be above 0 and at most {_LONGEST_TIMEOUT_S:g}.")


def _check_unencrypted(name: str, host: str, insecure: bool) -> None:
    if not insecure and not _is_loopback(host):
        raise SettingError(f"'{name}' would send unencrypted; use an encrypted url, or set insecure = true.")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
