"""Runs or attaches to a command and yields events. The only room that knows ptrace, /proc and registers."""
