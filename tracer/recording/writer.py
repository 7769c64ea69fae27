"""Writes events to a recording as they happen: a recording that was cut off is still a recording."""

from __future__ import annotations

from tracer.events import Event
from tracer.recording.files import open_to_write
from tracer.recording.lines import encode


class Writer:
    """An open recording. After the first failure it stays silent; `problem` is the sentence to show."""

    def __init__(self, path: str) -> None:
        """Create the file. Raises RecordingError if that can't be done."""
        self._path = path
        self._file = open_to_write(path)
        self.problem: str | None = None

    def write(self, event: Event) -> None:
        """Append an event. A full disk does not end the run: it is said once, at the end."""
        if self.problem is not None:
            return
        line = memoryview(encode(event))
        try:
            while line:
                line = line[self._file.write(line) or 0 :]
        except OSError as error:
            self.problem = f"the recording {self._path} is incomplete: {error.strerror}"

    def close(self) -> None:
        """Finish the file."""
        try:
            self._file.close()
        except OSError as error:
            self.problem = self.problem or f"the recording {self._path} is incomplete: {error.strerror}"
