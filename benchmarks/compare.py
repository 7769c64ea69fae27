"""Paired timings of whole commands: alone, under socktrace, under strace. `python -m benchmarks.compare [RUNS]`.

Each round runs the variants one after the other, so that a drift of the machine's speed meets them all; what is
printed is the median of each variant and the median of the ratios, round by round. Needs root and dockerd (it starts
one of its own) and strace; writes to a temporary folder.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fixtures.private_daemon import IMAGE, Daemon, missing, running

SOCKTRACE = [sys.executable, "-m", "tracer"]
MEGABYTES = 300
REQUESTS = 2000
PROCESSES = 1000

POLLER = """
import http.client, socket, sys
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.connect(sys.argv[1])
c = Unix("docker")
for _ in range(int(sys.argv[2])):
    c.request("GET", "/_ping"); c.getresponse().read()
"""


def works(daemon: Daemon) -> dict[str, list[str]]:
    """The commands that are timed, by name."""
    return {
        "docker ps": ["docker", "ps"],
        f"docker save, {MEGABYTES} MB": ["docker", "save", "big"],
        f"{REQUESTS:,} requests": [sys.executable, "-c", POLLER, str(daemon.socket), str(REQUESTS)],
        f"{PROCESSES:,} processes": ["sh", "-c", f"for i in $(seq {PROCESSES}); do /bin/true; done"],
    }


def variants(folder: Path) -> dict[str, list[str]]:
    """What is put before the command."""
    strace = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-e",
        "trace=network,read,write",
        "-s",
        "65536",
        "-o",
        f"{folder}/strace",
    ]
    return {
        "alone": [],
        "socktrace": [*SOCKTRACE, "-o", f"{folder}/timeline"],
        "socktrace -w": [*SOCKTRACE, "-q", "-w", f"{folder}/recording.jsonl"],
        "strace": strace,
    }


def seconds(argv: list[str], environment: dict[str, str]) -> float:
    """Wall time of one run."""
    began = time.monotonic()
    subprocess.run(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.monotonic() - began


def big_image(daemon: Daemon) -> None:
    """An image of random bytes, imported as `big`."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/data", "wb") as file:
            for _ in range(MEGABYTES):
                file.write(os.urandom(1 << 20))
        tar = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
        subprocess.run(["docker", "import", "-", "big"], stdin=tar.stdout, env=daemon.environment, check=True)
        tar.wait()


def compare(runs: int) -> None:
    """Run and print the table."""
    with running() as daemon, tempfile.TemporaryDirectory() as name:
        daemon.docker("create", "--name", "one", "--network", "none", IMAGE, "true")
        big_image(daemon)
        before = variants(Path(name))
        print(f"{'work':<24}" + "".join(f"{variant:>24}" for variant in before))
        for work, argv in works(daemon).items():
            times: dict[str, list[float]] = {variant: [] for variant in before}
            for round_number in range(runs + 1):
                for variant, prefix in before.items():
                    taken = seconds([*prefix, *argv], {**daemon.environment, "PYTHONPATH": os.getcwd()})
                    if round_number:  # the first round warms up
                        times[variant].append(taken)
            row = f"{work:<24}"
            for taken_times in times.values():
                ratios = [taken / alone for taken, alone in zip(taken_times, times["alone"], strict=True)]
                row += f"{statistics.median(taken_times):>14.3f} s {statistics.median(ratios):>6.2f} x"
            print(row, flush=True)


if __name__ == "__main__":
    why = missing()
    if why:
        sys.exit(f"benchmarks need a daemon: {why}")
    compare(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
