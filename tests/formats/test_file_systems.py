"""Why something failed elsewhere, in one clause, whatever package says it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ectopy.formats.file_systems import UNREACHABLE, failure_reason, is_missing

DENIED = "check the credentials, or ask for access"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PermissionError("Access Denied"), f"permission is denied (Access Denied); {DENIED}"),
        (
            RuntimeError('RPCError("org.apache.hadoop.security.AccessControlException", "user=a\\n\\tat org.x")'),
            f"permission is denied (user=a); {DENIED}",
        ),
        (RuntimeError('FatalRPCError("org.x.SafeModeException", "in safe mode.\\n\\tat")'), "in safe mode"),
        (OSError("Connection refused (os error 111)"), UNREACHABLE),
        (ConnectionRefusedError(111, "Connection refused"), UNREACHABLE),
        (
            RuntimeError('InvalidArgument("No NameNode hosts found")'),
            "its NameNode is not known; name hdfs://HOST:PORT/, or in HADOOP_CONF_DIR the folder of Hadoop's settings",
        ),
        (NotADirectoryError(20, "Not a directory", "/file"), "Not a directory"),
        (NotImplementedError(), "NotImplementedError"),
    ],
)
def test_why_something_failed(error: Exception, expected: str):
    assert failure_reason(error) == expected
    assert not is_missing(error)


def test_what_is_missing():
    assert is_missing(FileNotFoundError("File does not exist: /day.edf\n\tat org.x"))
    assert is_missing(ValueError("Attempt to open non key-like path: bucket"))


def test_a_process_is_started_while_hdfs_is_in_use():
    """The client of HDFS is forgotten in the forked process, and must not be waited for there."""
    pytest.importorskip("hdfs_native")
    program = """
import subprocess, sys
from ectopy.formats.file_systems import open_file_system
open_file_system("hdfs://127.0.0.1:9/")
subprocess.run([sys.executable, "-c", ""], preexec_fn=lambda: None, check=True)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
