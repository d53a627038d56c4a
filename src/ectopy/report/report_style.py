"""How a report on a recording looks, and whether one can be written, before long work starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ectopy.arguments import check_fields, checked
from ectopy.errors import MissingExtraError, OutputError, SettingError
from ectopy.files import check_writable
from ectopy.report.language import ENGLISH, load_language
from ectopy.report.logo import read_logo
from ectopy.report.page import require_extra
from ectopy.report.page_layout import PDF_SUFFIX, require_layout

PAPERS = ("a4", "letter")
PAGE_SUFFIXES = (".html", ".htm")


@dataclass(frozen=True, slots=True)
class ReportStyle:
    """How a report looks.

    Attributes
    ----------
    language : str
        Code of a language that there is a catalogue of: ``en`` or ``de``.
    paper : str
        ``a4`` or ``letter``.
    logo : Path or None
        A PNG or JPEG picture for its head.

    Raises
    ------
    SettingError
        If there is no such paper.
    """

    language: str = ENGLISH.code
    paper: str = PAPERS[0]
    logo: Path | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.paper not in PAPERS:
            raise SettingError(f"a report is laid out for {' or '.join(PAPERS)}, not '{self.paper}'.")


@checked
def check_report(path: str | Path, style: ReportStyle | None = None) -> Path:
    """Raise before long work where a report could not be written; return its path.

    Raises
    ------
    OutputError
        If the file cannot be written, or the system lacks what a PDF needs.
    MissingExtraError
        If the ``report`` extra is not installed.
    SettingError
        If there is no such language.
    DataError
        If the logo cannot be used.
    """
    require_extra()
    path = Path(path)
    check_writable(path)
    if is_pdf(path):
        require_layout()
    style = style or ReportStyle()
    load_language(style.language)
    if style.logo is not None:
        read_logo(style.logo)
    return path


def is_pdf(path: Path) -> bool:
    """Check by its name whether a report is a PDF; an `OutputError` if it is neither that nor a page."""
    suffix = path.suffix.lower()
    if suffix not in (PDF_SUFFIX, *PAGE_SUFFIXES):
        raise OutputError(f"cannot write {path}: a report is .pdf or .html; name it so.")
    return suffix == PDF_SUFFIX


def usual_suffix() -> str:
    """Return the suffix of a report that is given no name: ``.pdf``, or ``.html`` where a PDF cannot be made."""
    try:
        require_layout()
    except (MissingExtraError, OutputError):
        return PAGE_SUFFIXES[0]
    return PDF_SUFFIX
