"""A page of this package as a PDF, as its style for print says."""

from __future__ import annotations

import re

from ectopy.files import GENERATOR
from ectopy.report.page_layout import lay_out
from ectopy.report.theme import LIGHT

_COLOUR = re.compile(r"var\(--(\w+)(?:,#\w+)?\)")
_HALO = ".ecg text.halo, .ecg text.doubted { stroke: none; }"  # WeasyPrint draws it over the letters
_MARKUP = re.compile(r"<style>.*?</style>|<[^>]*>", re.DOTALL)  # what is not text that a person reads
_DRAWING = re.compile(r"<svg class=\"ecg\"[^>]*>")


def render_pdf(page: str, drawing_style: str) -> bytes:
    """Lay out a page, without loading anything from outside of it.

    Parameters
    ----------
    page : str
        HTML.
    drawing_style : str
        Style of its drawings of class ``ecg``, to which WeasyPrint does not apply the style of the page.
    """
    page = _DRAWING.sub(lambda opening: f"{opening[0]}<style>{drawing_style}{_HALO}</style>", page)
    page = _MARKUP.sub(lambda markup: _COLOUR.sub(_light, markup[0]), page)
    # A comment after the end of the file, by which a later run knows whose file it is.
    return lay_out(page) + f"% {GENERATOR}\n".encode()


def _light(colour: re.Match[str]) -> str:
    """Return the value of a colour, which WeasyPrint does not look up in a drawing."""
    return LIGHT.get(colour[1], colour[0])
