"""Events to a file and back, with secrets masked. The format is version 1 of JSON Lines: see docs/recording.md."""

from tracer.recording.reader import RecordingError, read
from tracer.recording.writer import Writer

__all__ = ["RecordingError", "Writer", "read"]
