"""What every request passes: access, log, headers."""
