"""Text tables: separator, decimal sign, preamble, header and first row, found from the first lines."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from ectopy.errors import DataError
from ectopy.formats.apple_watch import in_english
from ectopy.formats.clocks import parse_date, parse_date_time, parse_time_of_day
from ectopy.formats.identity import calendar_date, fact, patient
from ectopy.formats.leads import is_ecg
from ectopy.formats.sample_table import (
    Header,
    header_of,
    is_known_unit,
    is_number,
    is_time_name,
    number,
    seconds_of_unit,
)
from ectopy.recording import Patient

HEAD_LINES = 1000
HEAD_CHARACTERS = 2**20
"""The layout of a file is found from so much of it at most."""

_SAMPLE_LINES = 200
_SEPARATORS = ("\t", ";", ",", " ")
_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", " ": "white space", "": "commas"}
_COMMENT = re.compile(r"\s*(#|%|//)")
_MAYBE_COMMENT = "#%/ \t"  # found faster than the expression
_KEY_VALUE = re.compile(r"""[\s"'#%/]*([^:=,;\t]+?)["']?\s*(?::=|[:=,;\t])(.*)""", re.DOTALL)
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")
_DIGIT = re.compile(r"\d")
_INTEGER = re.compile(r"[-+]?\d+")
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+")
_AMOUNT = re.compile(r"[\s=]*([-+]?\d+(?:[.,](\d+))?(?:[eE][-+]?\d+)?)\s*([A-Za-zµμ/]*)\.?")
_BRACKETS = re.compile(r"(.*?)\s*[(\[]\s*(.*?)\s*[)\]]")
_LEAST_NUMBERS = 0.2
"""The least share of numbers among the cells of a column of numbers; the others are header, or errors."""
_FEWEST_SINGLE_DIGITS = 20
_JUMP = 3
_LONGEST_PAIR = 1000

_RATE = re.compile(r"sampl\w*[ _]?(rate|freq\w*)|sfreq|fs|freq(uency)?|abtast(rate|frequenz)", re.IGNORECASE)
_INTERVAL = re.compile(r"(sampl\w*[ _]?)?(interval|period)", re.IGNORECASE)
_UNIT = re.compile(r"units?|einheit(en)?", re.IGNORECASE)
_NAMES = re.compile(r"leads?|labels?|columns?|channels?|channel[ _]?(titles?|names?)|ableitung(en)?", re.IGNORECASE)
_MOMENT = re.compile(
    r"((record\w*|start\w*|acquisition|measurement)[ _]?)?(date|datetime|date[ _/&]*time)|start|aufzeichnungsdatum",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"((record\w*|start\w*|acquisition|measurement)[ _]?)?time", re.IGNORECASE)
_PERSON = re.compile(r"name|patient([ _]?name)?", re.IGNORECASE)
_PERSON_ID = re.compile(r"(patient|subject)[ _-]?(id|number|no\.?|nr\.?)|mrn|patientennummer", re.IGNORECASE)
_SEX = re.compile(r"sex|gender|geschlecht", re.IGNORECASE)
_BIRTH = re.compile(r"date of birth|birth[ _]?date|dob|geburtsdatum", re.IGNORECASE)
_DEVICE = re.compile(r"device([ _]?name)?|recorder|gerät", re.IGNORECASE)
_HERTZ = {"": 1.0, "hz": 1.0, "hertz": 1.0, "khz": 1e3, "sps": 1.0, "samples/s": 1.0, "s/s": 1.0}


class Line(NamedTuple):
    """A line that is not blank, with its number from 1."""

    number: int
    text: str


class Preamble(NamedTuple):
    """Statements of the lines before a table; None or empty where they say nothing.

    `rate_step_hz` is one unit of the last digit of the rate as it is written.
    """

    sampling_rate_hz: float | None = None
    rate_step_hz: float = 0.0
    unit: str = ""
    names: tuple[str, ...] = ()
    start: datetime | None = None
    patient: Patient = Patient()
    device: str = ""


class Layout(NamedTuple):
    """Layout by which the lines of a text table are to be read.

    The `separator` of columns is a blank for any white space, and nothing for a single column. There is a header for
    each column, None where the file does not name it. The first row of samples is the line `first`.
    """

    separator: str
    decimal_comma: bool
    headers: tuple[Header | None, ...]
    first: int
    preamble: Preamble

    @property
    def separators(self) -> str:
        """Return what separates the columns, for people."""
        return _WORDS[self.separator]

    def cells(self, text: str) -> list[str]:
        """The cells of a row; numbers with a decimal point."""
        cells = split(text, self.separator)
        return [cell.replace(",", ".") for cell in cells] if self.decimal_comma else cells


def split(text: str, separator: str) -> list[str]:
    """The cells of a line, without quotes and blanks around them."""
    text = text.rstrip("\r\n")
    if separator == "":
        cells = [text]
    elif separator == " ":
        cells = text.split()
    else:
        try:
            cells = next(csv.reader([text], delimiter=separator), [])
        except csv.Error:  # a line break within the line
            cells = [text]
    return [cell.strip().strip("\"'").strip() for cell in cells]


def is_comment(text: str) -> bool:
    """Return whether a line is a remark rather than a row."""
    return text[:1] in _MAYBE_COMMENT and _COMMENT.match(text) is not None


def find_layout(path: Path, lines: Sequence[Line]) -> Layout:
    """Find the layout of a text table from its first lines that are not blank, up to `HEAD_LINES`.

    A `DataError` if commas separate both decimals and columns, numbers have points and commas, or the header has
    another number of columns than the rows.
    """
    english = in_english([line.text for line in lines])
    lines = [line._replace(text=text) for line, text in zip(lines, english, strict=True)]
    # The last lines are rows of samples if any are; the first may be preamble and header.
    rows = [line.text for line in lines if not is_comment(line.text)]
    sample = rows[-_SAMPLE_LINES:]
    separator = _separator(sample)
    if separator == "," and _commas_are_decimal(path, rows):
        separator = ""
    table = [split(text, separator) for text in sample]
    width = _usual_width(table)
    table = [cells for cells in table if len(cells) == width]
    decimal_comma = _has_decimal_commas(path, table) and not (separator == "," and _commas_group_digits(table))
    draft = Layout(separator, decimal_comma, (None,) * width, 0, Preamble())
    if decimal_comma:
        table = [[cell.replace(",", ".") for cell in cells] for cells in table]
    numeric = [_is_numeric(column) for column in zip(*table, strict=True)]
    if not table:
        return draft._replace(first=len(lines))
    if not any(numeric):  # nothing but names, or nothing but text
        return draft._replace(headers=tuple(header_of(name, "") for name in table[0]), first=len(lines))
    return _with_header(path, draft, lines, numeric, blank=width > 1 and not any(cells[-1] for cells in table))


def _separator(rows: Sequence[str]) -> str:
    """Return what divides most of the lines into equally many columns; nothing where there is a single one."""
    best, most = "", 0
    for separator in _SEPARATORS:
        if separator == " " and best:
            break
        widths = Counter(len(split(text, separator)) for text in rows)
        del widths[1]
        count = max(widths.values(), default=0)
        if count > most and 2 * count >= len(rows):
            best, most = separator, count
    if best == "," and 2 * sum(map(_has_blanks_between_numbers, rows)) >= len(rows):
        return " "
    if best != " ":
        return best
    # White space also divides the words of a title.
    cells = [cell.replace(",", ".") for text in rows for cell in split(text, " ")]
    return " " if 2 * sum(map(is_number, cells)) >= len(cells) else ""


def _usual_width(table: Sequence[Sequence[str]]) -> int:
    """The number of columns of most rows that have several, of equally many the last; 1 if there are none."""
    widths = Counter(len(cells) for cells in reversed(table) if len(cells) > 1)
    return widths.most_common(1)[0][0] if widths else 1


def _has_blanks_between_numbers(text: str) -> bool:
    """Return whether white space stands between numbers with decimal commas."""
    cells = text.split()
    return len(cells) > 1 and all(_DECIMAL_COMMA.fullmatch(cell) or _INTEGER.fullmatch(cell) for cell in cells)


def _commas_are_decimal(path: Path, rows: Sequence[str]) -> bool:
    """Return whether the comma, the only separator, is the decimal sign of a single column.

    Integers are not written with a leading zero, so that ``0,002`` and ``-0,5`` are single numbers. A `DataError` if
    commas seem to stand both in numbers and between columns.
    """
    table = [split(text, ",") for text in rows]
    width = _usual_width(table[-_SAMPLE_LINES:])
    numbers = [cells for cells in table if len(cells) == width and all(map(_INTEGER.fullmatch, cells))]
    if 2 * len(numbers) < min(len(table), _SAMPLE_LINES):
        return False
    begin = next(index for index, cells in enumerate(table) if cells in numbers)
    above = [text for text, cells in zip(rows[:begin], table, strict=False) if not any(map(is_number, cells))]
    header = split(above[-1], ",") if above and not _facts(above[-1]) else []
    # "II" over "0,5": half as many names as there are cells.
    names = [header_of(cell, "") for cell in header]
    halved = 2 * len(header) == width and all(is_ecg(name) or unit for name, unit in names)
    halved = halved and all(cell.isdigit() for cells in numbers for cell in cells[1::2])
    last = {cells[-1] for cells in numbers}
    single = len(numbers) >= _FEWEST_SINGLE_DIGITS and width == 2 and len(last) > 2 and all(map(_DIGIT.fullmatch, last))
    named = len(header) == width
    if not (any(map(are_split_numbers, numbers)) or (not named and (halved or single))):
        return False
    if named or width > 2:
        raise DataError(
            f"{path} seems to write commas both in numbers, as in '{','.join(numbers[-1][:2])[:30]}', and between "
            "columns; save it with decimal points, or with semicolons between the columns."
        )
    return True


def are_split_numbers(cells: Sequence[str]) -> bool:
    """Check that integers between commas are parts of numbers with a decimal comma, as ``-0`` and ``002`` are."""
    if len(cells) < 2 or not all(map(_INTEGER.fullmatch, cells)):
        return False
    zeros = [len(cell) > 1 and cell[0] == "0" for cell in cells]
    return not zeros[0] and (any(zeros) or "-0" in cells or "+0" in cells)


def _has_decimal_commas(path: Path, table: Sequence[Sequence[str]]) -> bool:
    cells = [cell for cells in table for cell in cells]
    commas = [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
    points = [cell for cell in cells if "." in cell and is_number(cell.replace(",", ""))]
    if commas and points:
        raise DataError(
            f"{path} writes numbers with a comma, as in '{commas[-1][:30]}', and with a point, as in "
            f"'{points[-1][:30]}'; save it with decimal points."
        )
    return bool(commas)


def _commas_group_digits(table: Sequence[Sequence[str]]) -> bool:
    """Check that the commas within cells, which are quoted beside commas, may all separate thousands."""
    commas = [cell for cells in table for cell in cells if "," in cell]
    return all(map(_GROUPED.fullmatch, commas))


def _is_numeric(column: Sequence[str]) -> bool:
    values = [cell for cell in column if number(cell) is None or is_number(cell)]
    return not values or sum(map(is_number, values)) >= _LEAST_NUMBERS * len(values) > 0


def _with_header(path: Path, draft: Layout, lines: Sequence[Line], numeric: Sequence[bool], blank: bool) -> Layout:
    """The layout with the names of the columns: from a line, a remark or the preamble.

    `blank` says that the last column is empty, as where every row ends in a separator.
    """
    width = len(numeric)
    rows = [[] if is_comment(line.text) else draft.cells(line.text) for line in lines]
    first = next((index for index, cells in enumerate(rows) if _is_row(cells, numeric)), len(rows))
    while 0 < first < len(rows) and _is_missing(rows[first - 1], width):
        if first > 1 and all(map(_is_unit, rows[first - 1])) and _names_columns(rows[first - 2], width, blank):
            break  # below a header, blanks and dashes stand for its units
        first -= 1
    unnamed: list[Header | None] = [None] * width
    if blank:
        unnamed[-1] = Header("", "")
    header = _header_line(draft, lines, rows, first, width, blank)
    if header is not None:
        names, units = split(lines[header].text, draft.separator), [""] * width
        top = header
        if header and _names_columns(rows[header - 1], width, blank) and all(map(_is_unit, names)):
            top, names, units = header - 1, split(lines[header - 1].text, draft.separator), names
        padding = [""] * (width - len(names))
        headers = [
            None if name.isdecimal() else header_of(name, unit)
            for name, unit in zip([*names, *padding], [*units, *padding], strict=False)
        ]
        begin = next(index for index in range(header + 1, len(rows) + 1) if index == len(rows) or rows[index])
        preamble = _preamble(line.text for line in lines[:top])
        return draft._replace(headers=tuple(headers), first=begin, preamble=preamble)
    # Numbers over the columns, as pandas writes them.
    if first < len(rows) and _is_numbered(rows[first], rows[first + 1 :]):
        named = [Header("", "") if not cell else None for cell in rows[first]]
        preamble = _preamble(line.text for line in lines[:first])
        return draft._replace(headers=tuple(named), first=first + 1, preamble=preamble)
    begin = next((index for index, cells in enumerate(rows[:first]) if _is_bad_row(cells, numeric)), first)
    preamble = _preamble(line.text for line in lines[:begin])
    draft = draft._replace(headers=tuple(unnamed), first=begin, preamble=preamble)
    for line in reversed(lines[:begin]):
        remark = split(_COMMENT.sub("", line.text, count=1), draft.separator)
        if is_comment(line.text) and len(remark) == width and _is_header_remark(line.text, remark):
            return draft._replace(headers=tuple(header_of(name, "") for name in remark))
    # A preamble may name the channels and not the times in front of them.
    missing = width - blank - len(preamble.names)
    if preamble.names and missing in (0, 1):
        named = [header_of(name, "") for name in preamble.names]
        return draft._replace(headers=(*unnamed[:missing], *named, *unnamed[width - blank :]))
    if begin and width > 1 and len(rows[begin - 1]) > 1 and not _facts(lines[begin - 1].text):
        raise DataError(
            f"{path}, line {lines[begin].number if begin < len(lines) else len(lines)} has {width} columns, and line "
            f"{lines[begin - 1].number} above it names {len(rows[begin - 1])}; expected a name for every column."
        )
    return draft


def _is_row(cells: Sequence[str], numeric: Sequence[bool]) -> bool:
    """Return whether the columns of numbers hold numbers."""
    if len(cells) != len(numeric):
        return False
    cells_of_numbers = [cell for cell, is_numeric in zip(cells, numeric, strict=True) if is_numeric]
    return all(number(cell) is not None for cell in cells_of_numbers) and any(map(is_number, cells_of_numbers))


def _is_missing(cells: Sequence[str], width: int) -> bool:
    """Return whether a line is a row without a single value, such as ``,`` or ``?,?``."""
    return len(cells) == width and all(number(cell) is not None and not is_number(cell) for cell in cells)


def _is_bad_row(cells: Sequence[str], numeric: Sequence[bool]) -> bool:
    """Check that a line above the first row of numbers is a row with an error, rather than a line of the preamble."""
    if len(cells) != len(numeric):
        return False
    filled = [cell for cell in cells if cell]
    cells_of_numbers = [cell for cell, is_numeric in zip(cells, numeric, strict=True) if is_numeric]
    pair = not any(map(is_number, filled[:1])) and (len(filled) <= 2 or filled[0][-1] in "=:")
    return any(map(is_number, cells_of_numbers)) and not pair


def _header_line(
    draft: Layout, lines: Sequence[Line], rows: Sequence[Sequence[str]], first: int, width: int, blank: bool
) -> int | None:
    """The line that names the columns: the last before the first row, with nothing but bad rows between them."""
    for index in range(first - 1, -1, -1):
        cells = rows[index]
        if not cells:
            continue
        text = lines[index].text
        if _names_columns(cells, width, blank) and not _facts(text):
            return None if width == 1 and _key_value(text.strip()) else index
        if not any(map(is_number, cells)):
            return None
    return None


def _names_columns(cells: Sequence[str], width: int, blank: bool) -> bool:
    """Return whether cells are names, one for every column."""
    if len(cells) != width and not (blank and len(cells) == width - 1):
        return False
    filled = [cell for cell in cells if cell]
    key = bool(cells[0]) and cells[0][-1] in "=:"
    numbers = [cell for cell in filled if is_number(cell)]
    # pandas numbers from 0 the columns that have no name.
    counted = numbers == [str(place) for place in range(len(numbers))] and len(numbers) < len(filled)
    return 2 * len(filled) >= width and not key and counted


def _is_unit(cell: str) -> bool:
    return not cell or cell == "-" or is_known_unit(cell)


def _is_header_remark(text: str, cells: Sequence[str]) -> bool:
    """Return whether a remark names the columns, rather than saying something about them."""
    if len(cells) == 1 and (_key_value(text) or " " in cells[0]):
        return False
    return not any(map(is_number, cells)) and any(is_ecg(cell) or is_time_name(cell) for cell in cells)


def _is_numbered(cells: Sequence[str], later: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row numbers the columns from 0 or 1, rather than being a sample.

    That is so where it leaves a corner blank for the index of the rows, where only the others have decimals, or where
    it is far from the next row.
    """
    indexed = len(cells) > 1 and not cells[0]
    numbers = cells[indexed:]
    counts = [[str(index + begin) for index in range(len(numbers))] for begin in (0, 1)]
    if numbers not in counts[: 1 + (len(numbers) > 1)]:
        return False
    if indexed:
        return any(row[0] for row in later if len(row) == len(cells))
    table = [row for row in later[:_SAMPLE_LINES] if len(row) == len(cells) and all(map(is_number, row))]
    columns = list(zip(*table, strict=True))
    # A program that writes decimals writes them of every value; another writes 0 also between 0.5 and -0.5.
    if any(not any(map(_INTEGER.fullmatch, column)) for column in columns):
        return True
    if len(table) < 3:
        return False
    # Samples that stay the same may at any time change by a step or two of their converter.
    return any(
        abs(values[0] - float(count)) > _JUMP * max(1.0, *(abs(b - a) for a, b in pairwise(values)))
        for count, values in zip(numbers, (list(map(float, column)) for column in columns), strict=True)
    )


# Preamble: what its lines say, by their keys.


def _preamble(texts: Iterator[str]) -> Preamble:
    facts: dict[str, Any] = {}
    for text in texts:
        for key, value in _facts(text, names=True).items():
            facts.setdefault(key, value)
    start = facts.get("moment")
    if start is None and "date" in facts and "clock" in facts:
        start = datetime.combine(facts["date"], time()) + timedelta(seconds=facts["clock"])
    rate, step = facts.get("rate", (None, 0.0))
    person = patient(
        facts.get("patient", ""), facts.get("patient_id", ""), facts.get("sex", ""), birth_date=facts.get("birth")
    )
    return Preamble(rate, step, facts.get("unit", ""), facts.get("names", ()), start, person, facts.get("device", ""))


def _facts(text: str, names: bool = False) -> dict[str, Any]:
    """Return the facts in a line of a preamble; `names` of columns only if wanted, for a header may look like it."""
    text = text.strip()
    if is_comment(text) and (begin := text.find("{")) >= 0:
        return _json_facts(text[begin:])
    match = _key_value(text.strip(" \t,;\r\n"))
    if match is None:
        return {}
    return _fact(match[1].strip(), match[2].strip(" \t\"'"), names)


def _key_value(text: str) -> re.Match[str] | None:
    # The expression takes the square of the length of a text.
    return _KEY_VALUE.fullmatch(text) if len(text) <= _LONGEST_PAIR else None


def _fact(key: str, value: str, names: bool) -> dict[str, Any]:
    bracketed = _BRACKETS.fullmatch(key)
    key, unit = (bracketed[1], bracketed[2]) if bracketed else (key, "")
    if _RATE.fullmatch(key) or _INTERVAL.fullmatch(key):
        return _rate_fact(value, unit, inverse=_INTERVAL.fullmatch(key) is not None)
    if _UNIT.fullmatch(key) and value and (is_known_unit(value) or names):
        return {"unit": value}
    if _MOMENT.fullmatch(key):
        if (moment := parse_date_time(value)) is not None:
            return {"moment": moment}
        if (day := parse_date(value)) is not None:
            return {"date": day}
    if _CLOCK.fullmatch(key):
        if (moment := parse_date_time(value)) is not None:
            return {"moment": moment}
        if (seconds := parse_time_of_day(value)) is not None and seconds < 86_400:
            return {"clock": seconds}
    if names and _PERSON.fullmatch(key):
        return {"patient": value}
    if names and _PERSON_ID.fullmatch(key):
        return {"patient_id": value}
    if names and _SEX.fullmatch(key):
        return {"sex": value}
    if names and _BIRTH.fullmatch(key) and (born := calendar_date(value)) is not None:
        return {"birth": born}
    if names and _DEVICE.fullmatch(key):
        return {"device": fact(value)}
    if names and _NAMES.fullmatch(key) and value:
        cells = [cell.strip().strip("\"'") for cell in re.split(r"[,;\t]", value)]
        return {"names": tuple(re.sub(r"(?i)^(lead|ableitung)\s+(?=[A-Za-z])", "", cell) for cell in cells)}
    return {}


def _rate_fact(value: str, unit: str, inverse: bool) -> dict[str, Any]:
    match = _AMOUNT.fullmatch(value)
    if match is None:
        return {}
    amount, step = float(match[1].replace(",", ".")), 10.0 ** -len(match[2] or "")
    unit = (match[3] or unit).lower()
    factor = seconds_of_unit(unit or "s") if inverse else _HERTZ.get(unit)
    if factor is None or not 0 < amount * factor < float("inf"):
        return {}
    if inverse:
        rate = 1 / (amount * factor)
        return {"rate": (rate, rate * step / amount)}
    return {"rate": (amount * factor, step * factor)}


def _json_facts(text: str) -> dict[str, Any]:
    """Return what an object of JSON in a remark says, at whatever depth."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    flat: dict[str, Any] = {}
    waiting: list[Any] = [content]
    while waiting:
        for key, value in waiting.pop().items():
            if isinstance(value, Mapping):
                waiting.append(value)
            else:
                flat.setdefault(key.lower(), value)
    facts: dict[str, Any] = {}
    for key, value in flat.items():
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            facts |= _fact(key, str(value), names=False)
    names = [str(name) for name in flat.get("column", ())] if isinstance(flat.get("column"), list) else []
    labels, sensors = flat.get("label"), flat.get("sensor")
    if names and isinstance(labels, list) and isinstance(sensors, list) and len(labels) == len(sensors):
        sensor_of = {str(label): f"{sensor} {label}" for label, sensor in zip(labels, sensors, strict=True)}
        names = [sensor_of.get(name, name) for name in names]
    return facts | ({"names": tuple(names)} if names else {})
