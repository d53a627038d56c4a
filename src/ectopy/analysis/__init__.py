"""A recording to verdicts, and to the events of its rhythm."""

from ectopy.analysis.analysis import Analysis, analyse

__all__ = ["Analysis", "analyse"]
