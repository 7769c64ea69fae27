"""What a test needs of its machine: without it a laptop skips the test, and CI, which installs all of it, fails."""

from __future__ import annotations

import os
import shutil

import pytest


def need(there: object, why: str) -> None:
    """Go on only if `there` is true."""
    if there:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must be able to run this test: {why}")
    pytest.skip(why)


def root() -> None:
    """The test changes users, mounts or roots."""
    need(os.geteuid() == 0, "needs root")


def program(name: str) -> str:
    """The path of a program."""
    found = shutil.which(name)
    need(found, f"{name} is not installed")
    return found or name
