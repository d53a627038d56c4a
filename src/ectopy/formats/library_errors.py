"""The border between Ectopy and the packages that read files: none of their errors goes further."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ectopy.errors import DataError, EctopyError


@contextmanager
def raising_data_error(message: str) -> Iterator[None]:
    """Say `message`, as a DataError, in place of whatever a damaged file makes go wrong.

    Ectopy's own errors pass, as do the want of memory and of permission, which are not the file's fault.
    """
    try:
        yield
    except (EctopyError, MemoryError, PermissionError):
        raise
    except Exception as error:  # on damaged files, packages raise nearly everything
        raise DataError(message) from error
