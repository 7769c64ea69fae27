"""`docker ps -a` by the docker SDK for Python, for machines without the docker CLI (`python -m tracer.replay.sdk_ps`).

A program of its own: the SDK is a client of the daemon like any other, and never imported beside the tracer.
"""

from __future__ import annotations

import os

import docker


def main() -> None:
    """Print a line for each container."""
    client = docker.APIClient(version="auto", base_url=os.environ.get("DOCKER_HOST"))
    print(f"{'CONTAINER ID':<14}{'IMAGE':<20}{'STATUS':<28}NAMES")
    for entry in client.containers(all=True):
        name = entry["Names"][0].lstrip("/")
        print(f"{entry['Id'][:12]:<14}{entry['Image']:<20}{entry['Status']:<28}{name}")
    client.close()


if __name__ == "__main__":
    main()
