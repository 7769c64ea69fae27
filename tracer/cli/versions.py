"""What a bug report should say: our version, Python's, the kernel's and those of the libraries."""

from __future__ import annotations

import argparse
import os
import sys

from tracer import __version__

LIBRARIES = ("python-ptrace", "msgspec", "rich", "cryptography", "hpack", "zstandard")

KINDS = ("dist-info", "egg-info")


class ShowVersions(argparse.Action):
    """The option that prints them and ends."""

    def __call__(self, *_: object) -> None:
        """Print and end, as argparse's own version action does."""
        system = os.uname()
        found = installed()
        print(f"socktrace {__version__}")
        print(f"Python {sys.version.split()[0]}, {system.sysname} {system.release} {system.machine}")
        print(", ".join(f"{name} {found.get(name) or 'is not installed'}" for name in LIBRARIES))
        raise SystemExit(0)


def installed() -> dict[str, str]:
    """Packages and their versions, by the names of the folders that installers leave (PEP 376, PEP 491).

    importlib.metadata would read their contents as e-mail, which takes longer than everything else that is said.
    """
    versions: dict[str, str] = {}
    for folder in reversed(sys.path):
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            stem, _, kind = name.rpartition(".")
            package, _, version = stem.partition("-")
            if kind in KINDS and version:
                versions[package.lower().replace("_", "-").replace(".", "-")] = version.partition("-")[0]
    return versions
