"""Whole commands against a real dockerd: alone, under socktrace, recorded, under strace."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.timing import Taken, median, ratio, rounds, run
from fixtures.private_daemon import IMAGE, Daemon, running

MEGABYTES = 300
REQUESTS = 10_000
PROCESSES = 2000

POLLER = """
import http.client, socket, sys
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.connect(sys.argv[1])
c = Unix("docker")
for _ in range(int(sys.argv[2])):
    c.request("GET", "/_ping"); c.getresponse().read()
"""

READER = "import asyncio, email.mime.text, http.server, logging.config, unittest, xml.dom.minidom, xmlrpc.client"
"""Each module is a file to open, to read and to close."""

STRACE = ["strace", "-f", "--seccomp-bpf", "-e", "trace=network,read,write", "-s", "65536", "-o"]


def works(daemon: Daemon) -> dict[str, tuple[list[str], int]]:
    """The commands that are timed, by name, and how many rounds each is worth."""
    tree = f"for i in $(seq {PROCESSES // 2}); do /bin/true & /bin/true; done; wait"
    return {
        "docker ps": (["docker", "ps"], 21),
        f"docker save, {MEGABYTES} MB": (["docker", "save", "big"], 5),
        f"{REQUESTS:,} keep-alive requests": (
            [sys.executable, "-I", "-c", POLLER, str(daemon.socket), str(REQUESTS)], 3,
        ),
        f"{PROCESSES:,} short processes": (["sh", "-c", tree], 3),
        "a program that reads many files": ([sys.executable, "-I", "-c", READER], 11),
    }  # fmt: skip


def variants(socktrace: Path, folder: Path) -> dict[str, list[str]]:
    """What is put before the command."""
    return {
        "alone": [],
        "socktrace": [str(socktrace)],
        "socktrace -w": [str(socktrace), "-q", "-w", f"{folder}/recording.jsonl"],
        "socktrace -w .zst": [str(socktrace), "-q", "-w", f"{folder}/recording.jsonl.zst"],
        "strace": [*STRACE, f"{folder}/strace"],
    }


def big_image(daemon: Daemon) -> None:
    """An image of random bytes, imported as `big`."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/data", "wb") as file:
            for _ in range(MEGABYTES):
                file.write(os.urandom(1 << 20))
        tar = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
        subprocess.run(["docker", "import", "-", "big"], stdin=tar.stdout, env=daemon.environment, check=True)
        tar.wait()


def table(programs: Path) -> Iterator[str]:
    """A row for each work and variant: seconds, ratios to the command alone, peak memory."""
    yield "| work | variant | wall | × alone | exec to exit | × alone | largest process |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    with running() as daemon, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        daemon.docker("create", "--name", "one", "--network", "none", IMAGE, "true")
        big_image(daemon)
        for work, (argv, number) in works(daemon).items():
            ways = variants(programs / "socktrace", folder)
            taken = rounds(
                number, {way: partial(run, before, argv, daemon.environment, folder) for way, before in ways.items()}
            )
            yield from _rows(work, taken)
            if "save" in work:
                for file in ("recording.jsonl", "recording.jsonl.zst"):
                    size = (folder / file).stat().st_size / (MEGABYTES << 20)
                    yield f"| | {file}: {size:.2f} × the bytes | | | | | |"


def _rows(work: str, taken: dict[str, list[Taken]]) -> Iterator[str]:
    alone = taken["alone"]
    for way, runs in taken.items():
        wall, inner = [one.wall for one in runs], [one.inner for one in runs]
        yield (
            f"| {work} | {way} | {median(wall):.3f} s | {ratio(wall, [one.wall for one in alone]):.2f} "
            f"| {median(inner):.3f} s | {ratio(inner, [one.inner for one in alone]):.2f} "
            f"| {max(one.memory for one in runs):.0f} MiB |"
        )
        work = ""
