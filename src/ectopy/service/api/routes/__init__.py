"""Thin routes, one module for each subject."""
