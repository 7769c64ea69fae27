"""The command line: one module per verb, parsing and exit codes, no logic."""

from tracer.cli.main import main

__all__ = ["main"]
