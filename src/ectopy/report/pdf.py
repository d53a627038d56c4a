"""A page of this package as a PDF, laid out by WeasyPrint as its style for print says."""

from __future__ import annotations

import logging
import re
from typing import Any

from ectopy.errors import MissingExtraError, OutputError
from ectopy.files import GENERATOR
from ectopy.report.theme import LIGHT

_COLOUR = re.compile(r"var\(--(\w+)(?:,#\w+)?\)")
_HALO = ".ecg text.halo, .ecg text.doubted { stroke: none; }"  # WeasyPrint draws it over the letters
_MARKUP = re.compile(r"<style>.*?</style>|<[^>]*>", re.DOTALL)  # what is not text that a person reads
_DRAWING = re.compile(r"<svg class=\"ecg\"[^>]*>")


def require_pdf() -> Any:
    """Return WeasyPrint; raise before long work where it, or the library Pango that it needs, is missing.

    Raises
    ------
    MissingExtraError
        If WeasyPrint is not installed.
    OutputError
        If the system has no Pango.
    """
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


def render_pdf(page: str, drawing_style: str) -> bytes:
    """Lay out a page, without loading anything from outside of it.

    Parameters
    ----------
    page : str
        HTML.
    drawing_style : str
        Style of its drawings of class ``ecg``, to which WeasyPrint does not apply the style of the page.
    """
    weasyprint = require_pdf()
    for library in ("weasyprint", "fontTools"):  # they tell of every property and glyph that they leave out
        logging.getLogger(library).setLevel(logging.ERROR)
    page = _DRAWING.sub(lambda opening: f"{opening[0]}<style>{drawing_style}{_HALO}</style>", page)
    page = _MARKUP.sub(lambda markup: _COLOUR.sub(_light, markup[0]), page)
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=["data"])  # what the page embeds, nothing else
    content: bytes = weasyprint.HTML(string=page, url_fetcher=fetcher).write_pdf()
    # A comment after the end of the file, by which a later run knows whose file it is.
    return content + f"% {GENERATOR}\n".encode()


def _light(colour: re.Match[str]) -> str:
    """Return the value of a colour, which WeasyPrint does not look up in a drawing."""
    return LIGHT.get(colour[1], colour[0])
