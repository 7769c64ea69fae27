"""socktrace: prove and explain what a client says to the Docker daemon."""

__version__ = "0.1.0"
