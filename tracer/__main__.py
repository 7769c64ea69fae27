"""`python -m tracer` is the same as `socktrace`."""

from tracer.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
