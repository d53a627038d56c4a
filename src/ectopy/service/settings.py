"""Settings of the service: from the command line, then the environment, then the file ``ectopy.toml``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from ectopy.analysis.patient_template import LEARNING_S
from ectopy.errors import SettingError
from ectopy.files import make_folder

FILE = "ectopy.toml"
PORT = 8765

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PRIVATE = 0o700


def home() -> Path:
    """Return the folder of the service: ``ECTOPY_HOME``, or the user's data folder."""
    return Path(os.environ.get("ECTOPY_HOME") or platformdirs.user_data_path("ectopy", appauthor=False))


def make_home(folder: Path) -> None:
    """Make the folder of the service unless it exists; no other user of the machine may read it.

    An `OutputError` if it cannot be made.
    """
    if not folder.exists():
        make_folder(folder)
        folder.chmod(_PRIVATE)


class Settings(BaseSettings):
    """Settings by which the service runs.

    Attributes
    ----------
    home : Path
        Folder of its data, in which ``ectopy.toml`` lies.
    host : str
        Address to listen at; only this machine reaches the usual one.
    port : int
        0 = any that is free.
    store : str or None
        URL of the database; None = an SQLite file in `home`.
    tls_certificate, tls_key : Path or None
        Files in PEM; with both the service speaks TLS.
    targets : Path or None
        File with the receivers of alarms; see `ectopy.service.notify.load_targets`.
    mqtt : str or None
        Broker to take samples from, ``mqtt://HOST`` or ``mqtts://USER:PASSWORD@HOST:PORT``.
    cluster : str or None
        Kafka's brokers, ``HOST:PORT`` separated by commas: then the patients are watched by ``ectopy cluster watch``.
    cluster_input, cluster_output : str
        Topics of the cluster, for samples and for events.
    kafka_config : Path or None
        File that says how to sign in to Kafka; see `ectopy.cluster.brokers.load_brokers`.
    learning_s : float
        How long a patient's normal is learned from, 30 to 3600 s.
    keep_days : float or None
        How long everything but alarms, orders and the audit is kept; None = for ever.
    keep_gb : float or None
        How many gigabytes of samples are kept at most.
    requests_per_minute : int
        Of one key from one address.
    failures_per_minute : int
        Of one address: requests with a wrong key.
    connections, connections_per_address : int
        In total, and of one address; fewer where the process may not open so many files.
    request_bytes : int
        Size of a request, and of a message from a device.
    upload_bytes : int
        Size of an upload of recordings.
    recordings_gb : float
        How many gigabytes of uploaded recordings, and what was found in them, are kept at most; of one key half.
    """

    model_config = SettingsConfigDict(env_prefix="ECTOPY_", extra="forbid", frozen=True)

    home: Path = Field(default_factory=home)
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = PORT
    store: str | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    targets: Path | None = None
    mqtt: str | None = None
    cluster: str | None = None
    cluster_input: str = "ecg"
    cluster_output: str = "ecg-events"
    kafka_config: Path | None = None
    learning_s: Annotated[float, Field(ge=30, le=3600)] = LEARNING_S
    keep_days: Annotated[float, Field(gt=0)] | None = 30.0
    keep_gb: Annotated[float, Field(gt=0)] | None = 20.0
    requests_per_minute: Annotated[int, Field(ge=1)] = 6000
    failures_per_minute: Annotated[int, Field(ge=1)] = 10
    connections: Annotated[int, Field(ge=1)] = 4096
    connections_per_address: Annotated[int, Field(ge=1)] = 2048
    request_bytes: Annotated[int, Field(ge=1024, le=2**26)] = 4 * 2**20
    upload_bytes: Annotated[int, Field(ge=1024)] = 512 * 2**20
    recordings_gb: Annotated[float, Field(gt=0)] = 20.0

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags before environment before file."""
        folder = init_settings().get("home")
        file = (home() if folder is None else Path(folder)) / FILE
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)

    @property
    def tls(self) -> bool:
        """Return whether the service speaks TLS."""
        return self.tls_certificate is not None

    @property
    def loopback(self) -> bool:
        """Return whether only this machine reaches the service."""
        return self.host in _LOOPBACK

    @property
    def store_url(self) -> str:
        """URL of the database."""
        store = self.home / "ectopy.db" if self.store is None else self.store
        return store if isinstance(store, str) and "://" in store else f"sqlite:///{store}"


def load_settings(**flags: Any) -> Settings:
    """Load the settings of this machine; flags that are None are not set.

    Raises
    ------
    SettingError
        If a setting is unknown or invalid.
    """
    try:
        settings = Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise SettingError(
                f"there is no setting '{name}'; there are {', '.join(Settings.model_fields)}."
            ) from error
        raise SettingError(f"the setting '{name}': {first['msg']}.") from error
    except (SettingsError, OSError, ValueError) as error:
        raise SettingError(f"the settings in {FILE} cannot be read: {error}.") from error
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise SettingError("TLS needs both files: give 'tls_certificate' and 'tls_key'.")
    return settings
