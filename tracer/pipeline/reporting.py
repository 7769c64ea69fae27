"""`--html FILE`: a report of the run, written when it has ended, from a recording that nobody keeps."""

from __future__ import annotations

import os
import tempfile

from tracer.recording.files import RecordingError
from tracer.recording.writer import Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.events import Event


class Report:
    """Takes events as a Writer does; `problem` is the sentence to show, if any."""

    def __init__(self, path: str, language: str) -> None:
        """Make sure that the file can be written. Raises RecordingError if not."""
        try:
            with open(path, "ab"):
                pass
        except OSError as error:
            raise RecordingError(f"can't write {path}: {error.strerror}") from None
        self._path = path
        self._language = language
        self._folder = tempfile.TemporaryDirectory()
        self._events = os.path.join(self._folder.name, "run.jsonl")
        self._writer = Writer(self._events)

    @property
    def problem(self) -> str | None:
        """What went wrong first."""
        return self._writer.problem

    def write(self, event: Event) -> None:
        """Keep an event for the report."""
        self._writer.write(event)

    def close(self) -> None:
        """Write the report."""
        from tracer.pipeline.exporting import export

        self._writer.close()
        said: list[str] = []
        export(self._events, "html", self._path, said.append, language=self._language)
        self._folder.cleanup()
        if said and self._writer.problem is None:
            self._writer.problem = said[0]
