"""Events to a file and back, with secrets masked. The format is version 1 of JSON Lines: see docs/recording.md."""

from tracer.recording.files import RecordingError
from tracer.recording.reader import read
from tracer.recording.writer import Writer

__all__ = ["RecordingError", "Writer", "read"]
