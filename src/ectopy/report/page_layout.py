"""Lay out a page as a PDF with WeasyPrint, in a process that loads it while this one still reads the recording.

WeasyPrint and the libraries that it looks for take a second to load, on a core that is idle then. Where there is no
second core, or where anything goes wrong there, the work is done here.
"""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

from ectopy.errors import MissingExtraError, OutputError
from ectopy.processes import ONE_THREAD, has_spare_core, start_ahead

PDF_SUFFIX = ".pdf"

_READY = b"ready\n"


class _OtherProcess:
    """The other process, which waits for its page; within the block, at the end of which it is killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            env=os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C ends this process, which ends the other one
        )

    def __enter__(self) -> _OtherProcess:
        return self

    def __exit__(self, *error: object) -> None:
        with self._process:
            self._process.kill()

    @cached_property
    def is_ready(self) -> bool:
        """Whether it has loaded WeasyPrint; waits for that."""
        assert self._process.stdout is not None
        return self._process.stdout.readline() == _READY

    def lay_out(self, page: str) -> bytes:
        """Return the page as a PDF, or nothing if that failed."""
        content, _ = self._process.communicate(page.encode())
        return content if self._process.returncode == 0 else b""


_ahead: list[_OtherProcess] = []


def layout_ahead() -> AbstractContextManager[None]:
    """Start the other process now, to be ready when a page is laid out within the block."""
    return start_ahead(_OtherProcess, _ahead) if has_spare_core() else nullcontext()


def require_layout() -> None:
    """Raise before long work where WeasyPrint, or the library Pango that it needs, is missing.

    Raises
    ------
    MissingExtraError
        If WeasyPrint is not installed.
    OutputError
        If the system has no Pango.
    """
    if not any(process.is_ready for process in _ahead):
        _load()


def lay_out(page: str) -> bytes:
    """Return a page of HTML as a PDF, without loading anything from outside of it."""
    if _ahead:
        with _ahead.pop() as process:
            if process.is_ready and (content := process.lay_out(page)):
                return content
    weasyprint = _load()
    for library in ("weasyprint", "fontTools"):  # they tell of every property and glyph that they leave out
        logging.getLogger(library).setLevel(logging.ERROR)
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=["data"])  # what the page embeds, nothing else
    pdf: bytes = weasyprint.HTML(string=page, url_fetcher=fetcher).write_pdf()
    return pdf


def _load() -> Any:
    try:
        import weasyprint
    except ImportError as error:
        raise MissingExtraError.of("report", "a PDF") from error
    except OSError as error:
        raise OutputError(
            "a PDF needs the library Pango of the system, which is missing: apt install libpango-1.0-0 "
            "libpangoft2-1.0-0, brew install pango, or write an HTML page and print it."
        ) from error
    return weasyprint


def main() -> None:
    """Load WeasyPrint, say so, and lay out the page that comes through standard input."""
    _load()
    gc.disable()  # after one page the process ends
    sys.stdout.buffer.write(_READY)
    sys.stdout.buffer.flush()
    page = sys.stdin.buffer.read().decode()
    if page:
        sys.stdout.buffer.write(lay_out(page))


if __name__ == "__main__":
    main()
