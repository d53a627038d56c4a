"""Names say what a thing is: participles and pronouns do not stand alone."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

SRC = Path(__file__).parents[1] / "src" / "ectopy"
WORDS = """
    again anew anyone anything asked begun chosen come done drawn either everybody everything found given gone
    heard held kept known lost made neither nobody none nothing one ones others said seen sent shown some
    something spoken such taken that them there they things this those told wanted what whatever who whoever
    whom whose
"""
BANNED = frozenset(WORDS.split())
BOUND = 15
"""Banned names there may be at most: keys on the wire and of stored states. Lower it with every one that goes."""


def identifiers(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Each place where a function, class, argument, variable or attribute gets its name, with the line."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno


def banned(identifier: str) -> bool:
    return identifier.strip("_").lower() in BANNED


def test_names_are_not_bare_participles_or_pronouns():
    counts = Counter(
        banned(identifier)
        for path in SRC.rglob("*.py")
        for identifier, _ in identifiers(ast.parse(path.read_text(encoding="utf-8")))
    )
    print(f"{counts[True]} of {counts.total()} identifiers, {1000 * counts[True] / counts.total():.1f} in 1,000")
    assert counts[True] <= BOUND
