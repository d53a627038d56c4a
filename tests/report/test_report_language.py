"""Every text of a report in each language: nothing is left in English, and no value is lost in a translation."""

from __future__ import annotations

import re
from importlib.resources import files
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from ectopy.analysis.rhythm_episodes import Rhythm
from ectopy.analysis.rhythm_events import EVENT_TITLES
from ectopy.analysis.verdicts import Hint
from ectopy.disclaimers import STATEMENTS
from ectopy.errors import SettingError
from ectopy.report import text_format as fmt
from ectopy.report.language import ENGLISH, language_codes, load_language
from ectopy.report.recording_page import LIMITS
from ectopy.report.recording_strips import SUPERLATIVES
from ectopy.signal import FilterSettings
from ectopy.signal.quality import QUALITY_WORDS

REPORT = files("ectopy.report")
NAMES = [
    *EVENT_TITLES.values(),
    *(rhythm.value for rhythm in Rhythm),
    *(hint.value for hint in Hint if hint),
    *STATEMENTS,
    *QUALITY_WORDS,
    *LIMITS,
    *SUPERLATIVES,
    "female",
    "male",
]
TRANSLATED = [code for code in language_codes() if code != "en"]


@pytest.fixture(scope="module")
def messages() -> set[str | tuple[str, ...]]:
    """The messages of the code and the templates, and the names that they translate."""
    methods = [("**.py", "python"), ("**.jinja", "jinja2.ext:babel_extract")]
    options = {"**.jinja": {"silent": "false"}}
    found = extract_from_dir(str(REPORT), methods, options, {"text": None, "counted": (1, 2)})
    return {message for _, _, message, _, _ in found} | set(NAMES)


def catalogue(code: str) -> Catalog:
    with (REPORT / "languages" / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_german_is_there():
    assert language_codes() == ("en", "de")
    with pytest.raises(SettingError, match="en or de, not in 'fr'"):
        load_language("fr")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", TRANSLATED)
def test_every_message_is_translated_and_none_is_left_over(code: str, messages: set[str | tuple[str, ...]]):
    entries = {message.id: message for message in catalogue(code) if message.id}
    assert entries.keys() == messages
    for key, message in entries.items():
        assert not message.fuzzy
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        assert len(forms) == (catalogue(code).num_plurals if isinstance(key, tuple) else 1)
        for form in forms:
            assert form
            assert placeholders(form) == placeholders(key if isinstance(key, str) else key[1]), key


def test_texts_that_are_translated_are_not_inside_of_f_strings():
    """Babel does not find them there."""
    for path in REPORT.iterdir():
        if path.name.endswith(".py"):
            assert not re.search(r"\{(language\.)?(text|counted)\('", path.read_text(encoding="utf-8")), path.name


def test_numbers_and_dates_have_the_form_of_the_language():
    german = load_language("de")
    assert (fmt.count(4500, german), fmt.percent(1243, 4500, german)) == ("4.500", "27,6 %")
    assert (fmt.number(-0.04, 1, german), fmt.number(1234.56, 1, german)) == ("0,0", "1.234,6")
    assert (fmt.seconds(2.25, german), fmt.seconds(2.25)) == ("2,2 s", "2.2 s")
    assert fmt.band(FilterSettings(notch_hz=50), german) == "0,5–40 Hz, ohne 50 Hz"
    assert german.counted("{number} beat", "{number} beats", 1) == "1 Schlag"
    assert german.counted("{number} beat", "{number} beats", 2000) == "2.000 Schläge"
    assert german.listed(["a", "b", "c"]) == "a, b und c"
    assert ENGLISH.listed(["a", "b"]) == "a and b"
