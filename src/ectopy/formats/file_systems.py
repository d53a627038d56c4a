"""File systems elsewhere, by URL: how the package fsspec opens them, and in one clause why something fails there.

Credentials come from where each of them usually has them.
"""

from __future__ import annotations

import re
from typing import Any

from ectopy.errors import MissingExtraError, short_text

SILENCE_S = 60.0
"""Longest time that a web server may say nothing."""
WEB = ("http", "https")
UNREACHABLE = "its server cannot be reached; check the address and the network"
NO_CREDENTIALS = "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"

_HDFS = ("hdfs", "viewfs")
# fsspec forgets its file systems in a process that is forked, where a client of HDFS that nobody holds would wait
# without end for its threads, which only the parent has. Spark's Java process is started through such a fork.
_OPENED: list[Any] = []
# Attempts to reach a NameNode, about a quarter of a minute; without this it would be three minutes.
_HDFS_OPTIONS = {"dfs.client.failover.max.attempts": "4"}
# By the names of errors, so that no package is imported for them; the first that fits is said.
_REASONS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"TooManyRedirects"}), "its server leads in a circle"),
    (
        frozenset({"ClientPayloadError", "ServerDisconnectedError", "IncompleteReadError"}),
        "the connection ended before the whole file was there; try again",
    ),
    (frozenset({"SSLError"}), "there is no secure connection to its server; check the address and the certificate"),
    (
        frozenset({"NoCredentialsError", "PartialCredentialsError"}),
        NO_CREDENTIALS,
    ),
    (
        frozenset({"ClientConnectorError", "ConnectionTimeoutError", "ConnectionError", "ConnectionRefusedError"}),
        UNREACHABLE,
    ),
    (frozenset({"ReadTimeoutError", "ReadTimeout"}), "its server does not answer in time; try again later"),
)
_HDFS_UNREACHABLE = re.compile(r"\(os error (?:104|110|111|113)\)|address information|listener disconnected")
_HDFS_ERROR = re.compile(r'\w*RPCError\("(?:[\w$]+\.)*([\w$]+)", "(.*?)(?:\\n|"\))')
_NO_NAMENODE = "No NameNode hosts found"
_MISSING = re.compile(r"non key-like path|No such bucket|bucket does not exist", re.IGNORECASE)


def open_file_system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, or of a path on this machine, and the path in it.

    Raises
    ------
    MissingExtraError
        If a package that it needs is not installed.
    """
    scheme = url.partition("://")[0].lower() if "://" in url else "file"
    options: dict[str, Any] = {}
    try:
        from fsspec.core import url_to_fs

        if scheme in WEB:
            from aiohttp import ClientTimeout

            # However long a large file takes, a server that says nothing for a minute is given up.
            timeout = ClientTimeout(total=None, sock_connect=SILENCE_S, sock_read=SILENCE_S)
            options["client_kwargs"] = {"timeout": timeout}
        elif scheme in _HDFS:
            import hdfs_native  # noqa: F401 - without it fsspec would look for Hadoop's native library

            options |= _HDFS_OPTIONS
        system, path = url_to_fs(url, **options)
    except ImportError as error:
        raise MissingExtraError.of("remote", f"{scheme}://") from error
    if scheme in _HDFS and not any(system is each for each in _OPENED):
        _OPENED.append(system)
    return system, str(path)


def has_folders(path: str) -> bool:
    """Return whether the file system of a path has folders: in an object store, a path begins with its bucket."""
    return path.startswith("/")


def replace_file(system: Any, temporary: str, path: str) -> None:
    """Give a file another name at once, in place of the file that has it."""
    # HDFS replaces a file only if told to; other file systems do so anyway, and do not know the option.
    options = {"overwrite": True} if system.protocol in _HDFS else {}
    system.mv(temporary, path, **options)


def is_missing(error: Exception) -> bool:
    """Return whether an error says that there is no such file, folder or bucket; see `failure_reason` of others."""
    cause: BaseException = error.__cause__ or error
    is_other = getattr(cause, "status", 404) != 404 or _known_reason(error, cause) is not None
    return not is_other and (isinstance(error, FileNotFoundError) or _MISSING.search(str(error)) is not None)


def failure_reason(error: Exception) -> str:
    """Return why something failed, as a clause: what is behind the error, which fsspec may take for a missing file.

    Examples
    --------
    >>> failure_reason(PermissionError("Access Denied"))
    'permission is denied (Access Denied); check the credentials, or ask for access'
    """
    cause: BaseException = error.__cause__ or error
    status = getattr(cause, "status", None)
    if status in (401, 403, 407):
        return f"its server answers {status}, permission denied; log in, or ask for access"
    if isinstance(status, int) and (status >= 500 or status == 429):
        return f"its server answers {status}; try again later"
    if (reason := _known_reason(error, cause)) is not None:
        return reason
    whole = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if _NO_NAMENODE in whole:
        return (
            "its NameNode is not known; name hdfs://HOST:PORT/, or in HADOOP_CONF_DIR the folder of Hadoop's settings"
        )
    from_hdfs = _HDFS_ERROR.match(whole)
    text = short_text(from_hdfs[2] if from_hdfs else whole.splitlines()[0]).rstrip(".")
    if isinstance(error, PermissionError) or (from_hdfs and from_hdfs[1] == "AccessControlException"):
        return f"permission is denied ({text}); check the credentials, or ask for access"
    return text


def _known_reason(error: Exception, cause: BaseException) -> str | None:
    kinds = {kind.__name__ for each in (error, cause) for kind in type(each).__mro__}
    for names, reason in _REASONS:
        if kinds & names:
            return reason
    if isinstance(cause, TimeoutError):
        return f"its server was silent for {SILENCE_S:g} s; try again later"
    return UNREACHABLE if _HDFS_UNREACHABLE.search(str(error)) else None
