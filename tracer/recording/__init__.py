"""Events to a file and back, with secrets masked. The format is version 1 of JSON Lines: see docs/recording.md."""
