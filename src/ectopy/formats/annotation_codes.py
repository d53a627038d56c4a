"""PhysioNet's annotation codes: what a mark on an ECG means.

Source: https://archive.physionet.org/physiobank/annotations.shtml and ``ecgcodes.h`` of the WFDB library.
"""

from __future__ import annotations

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
