"""The errors a caller can expect, one small family.

Every message is one sentence that says what is wrong and what would be right; the command line prints it
and exits with status 2.
"""

from __future__ import annotations


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
        return cls(f"{purpose} needs the '{extra}' extra: pip install 'ectopy[{extra}]'.")
