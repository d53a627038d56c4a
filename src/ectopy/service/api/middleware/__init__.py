"""Middleware of every request: access, log, headers."""
