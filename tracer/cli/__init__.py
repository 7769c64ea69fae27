"""The command line: one module per verb, parsing and exit codes, no logic."""

from tracer.cli.main import command

__all__ = ["command"]
