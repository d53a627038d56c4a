"""The errors a caller can expect, one small family.

Every message is one sentence that says what is wrong and what would be right; the command line prints it
and exits with status 2.
"""

from __future__ import annotations

_MOST_SHOWN = 80

EXTRAS = {
    "train": ("tensorflow", "keras", "sklearn"),
    "report": ("matplotlib", "jinja2", "babel", "weasyprint"),
    "formats": ("pyarrow", "soundfile", "pandas", "pydicom", "sierraecg"),
    "remote": ("fsspec", "aiohttp", "s3fs", "hdfs_native"),
    "service": (
        "sqlalchemy",
        "alembic",
        "apprise",
        "fastapi",
        "starlette",
        "uvicorn",
        "websockets",
        "python_multipart",
        "pydantic_settings",
        "structlog",
        "prometheus_client",
        "httpx",
        "paho",
    ),
    "postgres": ("psycopg",),
    "spark": ("pyspark", "py4j", "confluent_kafka", "google", "fsspec"),
    "peers": ("neurokit2", "sleepecg", "wfdb"),
}
"""Packages that each extra brings, by the names they are imported by."""


def short_text(value: object) -> str:
    r"""A value from a file as part of a message: one line that can be printed, and not a long one.

    Examples
    --------
    >>> short_text("a\x1b[2Jb")
    'a?[2Jb'
    """
    text = printable(str(value))
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."


def printable(text: str) -> str:
    """Text with a question mark for every character that would move the cursor or cannot be seen."""
    return "".join(character if character.isprintable() else "?" for character in text)


class EctopyError(Exception):
    """Base of every error that Ectopy raises on purpose."""


class DataError(EctopyError, ValueError):
    """The data cannot be used as they are: shape, values, labels, file content."""


class NotEnoughNormalsError(DataError):
    """Fewer normal beats than the method needs to learn, or to calibrate at the asked rate."""


class LayoutError(DataError):
    """Beats of another length, origin, sampling rate or unit than the detector was trained on."""


class SettingError(EctopyError, ValueError):
    """A setting is outside what it may be."""


class NotFoundError(DataError):
    """There is no such patient, alarm or other thing."""


class ConflictError(EctopyError):
    """What is to be changed has changed meanwhile; the message says how, and nothing was lost."""


class BundleError(EctopyError):
    """A bundle is truncated, foreign, tampered with, or does not reproduce its golden scores."""


class DatasetUnavailableError(EctopyError):
    """A named data set is neither on this machine nor to be downloaded now."""


class OutputError(EctopyError, OSError):
    """A result cannot be written where it was asked for."""


class StorageError(EctopyError):
    """A database cannot be reached, is full or damaged, or belongs to another version; nothing was half written."""


class DatabaseError(StorageError):
    """The database itself fails; the message says where it is and why, for the log and the command line alone."""


class ServiceError(EctopyError):
    """A service cannot be reached, or refuses what it was asked for."""


class MissingExtraError(EctopyError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    @classmethod
    def of(cls, extra: str, purpose: str) -> MissingExtraError:
        """Error that says which extra to install for `purpose`."""
        return cls(
            f"{purpose} needs the '{extra}' extra: pip install 'ectopy[{extra}]', or from a checkout "
            f"pip install '.[{extra}]'."
        )

    @classmethod
    def behind(cls, error: ImportError, purpose: str) -> MissingExtraError | None:
        """Error that says which extra brings the package that could not be imported; None where none does."""
        package = (error.name or "").partition(".")[0]
        extra = next((extra for extra, packages in EXTRAS.items() if package in packages), None)
        return None if extra is None else cls.of(extra, purpose)
