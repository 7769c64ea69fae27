"""What the Docker Engine API means: operations, summaries, endpoints, the words of the explanations. Data first."""

from tracer.engine.meaning import Meaning, meaning_of

__all__ = ["Meaning", "meaning_of"]
