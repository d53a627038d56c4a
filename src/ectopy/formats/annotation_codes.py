"""PhysioNet's annotation codes: what a mark on an ECG means.

Sources: https://archive.physionet.org/physiobank/annotations.shtml and ``ecgcodes.h`` of the WFDB library. ANSI/AAMI
EC57:2012. P. de Chazal, M. O'Dwyer and R. B. Reilly, IEEE Trans Biomed Eng 51(7):1196-1206 (2004).
"""

from __future__ import annotations

from collections.abc import Mapping

NOTE = '"'
"""Symbol of a comment."""

CODES = {
    "N": 1,
    "L": 2,
    "R": 3,
    "a": 4,
    "V": 5,
    "F": 6,
    "J": 7,
    "A": 8,
    "S": 9,
    "E": 10,
    "j": 11,
    "/": 12,
    "Q": 13,
    "~": 14,
    "|": 16,
    "s": 18,
    "T": 19,
    "*": 20,
    "D": 21,
    NOTE: 22,
    "=": 23,
    "p": 24,
    "B": 25,
    "^": 26,
    "t": 27,
    "+": 28,
    "u": 29,
    "?": 30,
    "!": 31,
    "[": 32,
    "]": 33,
    "e": 34,
    "n": 35,
    "@": 36,
    "x": 37,
    "f": 38,
    "(": 39,
    ")": 40,
    "r": 41,
}
"""Number of each symbol in WFDB annotation files."""

LABEL_MAPS: Mapping[str, Mapping[str, str]] = {
    "aami": {"N": "NLRB", "S": "AaJSejn", "V": "VrE", "F": "F", "Q": "/fQ?"},
    # De Chazal's records have no B n r ?; elsewhere they are beats nonetheless.
    "de_chazal": {"N": "NLRej", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQBnr?"},
}
"""Symbols of beats by class of the AAMI: normal, supraventricular ectopic, ventricular ectopic, fusion,
unclassifiable; `aami` is that of ``bxb``."""
