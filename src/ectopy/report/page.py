"""Parts that all pages share: figures, tiles, and the rendering of templates."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ectopy import __version__
from ectopy.disclaimers import STATEMENTS
from ectopy.errors import MissingExtraError, OutputError
from ectopy.files import check_writable, write_text
from ectopy.report import text_format as fmt
from ectopy.report.language import ENGLISH, Language
from ectopy.report.theme import DARK, LIGHT


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing, as markup made by `ectopy.report.plots`, and its caption."""

    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class Tile:
    """A big number with its name and a note; the verdict, or an empty text, decides its colour and sign."""

    name: str
    value: str
    note: str
    verdict: str = ""


def require_extra() -> None:
    """Raise a `MissingExtraError` before long work starts when a report could not be made at its end."""
    if any(find_spec(package) is None for package in ("matplotlib", "jinja2", "babel")):
        raise MissingExtraError.of("report", "a report")


def check_page(path: str | Path) -> Path:
    """Raise as `require_extra` and `check_writable` do where a page could not be written; return its path."""
    require_extra()
    path = Path(path)
    check_writable(path)
    if path.suffix.lower() == ".pdf":
        raise OutputError(f"cannot write {path}: this report is a page; name a .html file and print it.")
    return path


def write_page(path: Path, template: str, **context: Any) -> None:
    """Fill one of this package's templates, as `render_page` does, and write it."""
    write_text(path, render_page(template, **context))


def render_page(template: str, language: Language = ENGLISH, **context: Any) -> str:
    """Fill one of this package's templates; every text is escaped, figures are not."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ectopy", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(count=fmt.count, score=fmt.score)
    environment.globals.update(
        language=language.code,
        text=language.text,
        counted=language.counted,
        light=LIGHT,
        dark=DARK,
        version=__version__,
        statements=tuple(language.text(statement) for statement in STATEMENTS),
    )
    return environment.get_template(template).render(**context)
