"""`python -m tracer` is the same as `socktrace`."""

from tracer.cli import command

if __name__ == "__main__":
    command()
