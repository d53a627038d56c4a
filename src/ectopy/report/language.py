"""The languages of a report: its texts from a message catalogue, its numbers and dates in the form of the language.

English texts stand in the code and the templates, and ``languages/de.po`` translates them. ``docs/report.md`` says how
to add a language.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from gettext import NullTranslations
from importlib.resources import files
from typing import Any

from ectopy.errors import SettingError
from ectopy.presentation import short_repr

_CATALOGUES = files("ectopy.report") / "languages"


@dataclass(frozen=True, slots=True)
class Language:
    """A language; `code` is that of its locale, ``en`` or ``de``."""

    __repr__ = short_repr

    code: str = "en"
    translations: NullTranslations = field(default_factory=NullTranslations, repr=False, compare=False)

    def text(self, message: str, **values: object) -> str:
        """Translate a message and fill in its values, ``{name}`` in braces.

        Examples
        --------
        >>> ENGLISH.text("{part} of {whole}", part=2, whole=3)
        '2 of 3'
        """
        translated = self.translations.gettext(message) if message else ""
        return translated.format_map(values) if values else translated

    def counted(self, singular: str, plural: str, number: int, **values: object) -> str:
        """Translate a message with ``{number}`` in the form for that number.

        Examples
        --------
        >>> ENGLISH.counted("{number} beat", "{number} beats", 4500)
        '4,500 beats'
        """
        return self.translations.ngettext(singular, plural, number).format_map(
            {"number": self.decimal(number), **values}
        )

    def decimal(self, value: float, places: int = 0) -> str:
        """Write a number with so many decimals.

        Examples
        --------
        >>> ENGLISH.decimal(4500), load_language("de").decimal(4500.26, 1)
        ('4,500', '4.500,3')
        """
        from babel.numbers import format_decimal

        pattern = "#,##0" + (f".{'0' * places}" if places else "")
        return format_decimal(round(float(value), places), pattern, locale=self.code, decimal_quantization=True)

    def date(self, day: date) -> str:
        """Write a date.

        Examples
        --------
        >>> ENGLISH.date(date(2024, 3, 1)), load_language("de").date(date(2024, 3, 1))
        ('2024-03-01', '01.03.2024')
        """
        from babel.dates import format_date

        return format_date(day, self.text("yyyy-MM-dd"), locale=self.code)

    def moment(self, when: datetime) -> str:
        """Write a date and a time of day."""
        return f"{self.date(when.date())} {when:%H:%M:%S}"

    def listed(self, items: Iterable[str]) -> str:
        """Join items, as "a, b and c"."""
        from babel.lists import format_list

        return format_list(list(items), locale=self.code)


ENGLISH = Language()


def language_codes() -> tuple[str, ...]:
    """List the languages that there are: English, and those with a catalogue."""
    names = sorted(item.name for item in _CATALOGUES.iterdir())
    return ("en", *(name.removesuffix(".po") for name in names if name.endswith(".po")))


@cache
def load_language(code: str) -> Language:
    """Load a language by its code; a `SettingError` if there is no catalogue of it."""
    if code not in language_codes():
        raise SettingError(f"a report is written in {' or '.join(language_codes())}, not in '{code}'.")
    return ENGLISH if code == ENGLISH.code else Language(code, _translations(code))


def _translations(code: str) -> NullTranslations:
    from io import BytesIO

    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    from babel.support import Translations

    with (_CATALOGUES / f"{code}.po").open("rb") as file:
        catalogue: Any = read_po(file, locale=code)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
