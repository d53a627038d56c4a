"""Recognises the format of a file by its first bytes; names are for people."""

from __future__ import annotations

import codecs
from pathlib import Path

from ectopy.errors import DataError, short_text
from ectopy.formats import ishne
from ectopy.formats.xml_tree import root_name

_HEAD_BYTES = 2**16

_MAGICS = {
    ishne.MAGIC: "ishne",
    ishne.ANNOTATION_MAGIC: "ishne",
    b"\xffBIOSEMI": "edf",
    b"\x93NUMPY": "npy",
    b"PAR1": "parquet",
}
_XML_ROOTS = {"AnnotatedECG": "aecg", "RestingECG": "muse", "restingecgdata": "sierra"}
_REFUSALS = {
    b"PK\x03\x04": "a zip archive: unpack it",
    b"\x1f\x8b": "packed with gzip: unpack it",
    b"BZh": "packed with bzip2: unpack it",
    b"\xfd7zXZ": "packed with xz: unpack it",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"Rar!": "a RAR archive: unpack it",
    b"%PDF": "a PDF: export the recording itself",
    b"\x89PNG": "a picture: export the recording itself",
    b"\xff\xd8\xff": "a picture: export the recording itself",
    b"\x89HDF": "an HDF5 or MATLAB 7.3 file: save its samples as .npy or .csv",
    b"MATLAB 5.0": "a MATLAB file: save its samples as .npy or .csv, or name the WFDB header beside it",
}


def format_of(path: Path) -> str:
    """Return the format of a file, as ``edf``, ``scp`` or ``muse``; empty where its content does not say.

    A `DataError` if it says that the file is something that cannot be a recording: an archive, a picture, other XML.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    for magic, name in _MAGICS.items():
        if head.startswith(magic):
            return name
    if head.startswith(b"0       ") and head[252:256].strip().isdigit():
        return "edf"
    if _is_dicom(head):
        return "dicom"
    if _is_scp(head):
        return "scp"
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise DataError(f"{path} is a web page: log in there, or use the address of the file itself.")
    if _looks_like_xml(head):
        try:
            root = root_name(head)
        except DataError as error:
            raise DataError(f"{path} {error}") from error
        if root in _XML_ROOTS:
            return _XML_ROOTS[root]
        described = f"XML whose outermost element is {short_text(root)!r}" if root else "XML that cannot be read"
        raise DataError(
            f"{path} is {described}; expected an HL7 aECG (AnnotatedECG), GE MUSE (RestingECG) or Philips Sierra "
            "(restingecgdata) file."
        )
    for magic, described in _REFUSALS.items():
        if head.startswith(magic):
            raise DataError(f"{path} is {described}.")
    return ""


def is_recording(path: Path) -> bool:
    """Check that a file holds a recording and nothing else: a WFDB header, or a format that its content says.

    Tables and arrays may hold anything.
    """
    if path.suffix.lower() in (".hea", ".edf", ".bdf"):
        return True
    try:
        with path.open("rb") as stream:
            annotations = stream.read(len(ishne.ANNOTATION_MAGIC)) == ishne.ANNOTATION_MAGIC
        return not annotations and format_of(path) not in ("", "npy", "parquet")
    except (OSError, DataError):
        return False


def is_text(path: Path) -> bool:
    """Check that a file begins as text in UTF-8 does, which may be a table of samples."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    try:
        return "\0" not in codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False


def _is_dicom(head: bytes) -> bool:
    """Check for the mark behind the preamble, or, as old files lack both, for an element of the first group."""
    return head[128:132] == b"DICM" or (head[:2] == b"\x08\0" and head[3:4] == b"\0" and head[2:3] in b"\0\5\x08\x16")


def _is_scp(head: bytes) -> bool:
    """Check for the mark of section 0, or, as old files lack it, for a pointer in it that points to itself."""
    return head[16:22] == b"SCPECG" or (head[22:24] == b"\0\0" and head[24:32] == head[10:14] + b"\7\0\0\0")


def _looks_like_xml(head: bytes) -> bool:
    """Check that a file begins with an angle bracket, in UTF-8 or UTF-16, with or without a byte-order mark."""
    for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
        head = head.removeprefix(mark)
    return head[:256].replace(b"\0", b"").lstrip().startswith(b"<")
