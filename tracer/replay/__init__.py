"""A recording as a daemon."""
