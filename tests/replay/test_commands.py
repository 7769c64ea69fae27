"""docker commands recorded on a real daemon, then run again without it: the same stdout, the same exit status."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.private_daemon import IMAGE, Daemon, clis
from tests.needs import need, program
from tests.runs import COMMAND, ROOT, Socktrace

NONE = "--network none"
COMMANDS: dict[str, str] = {
    "ps": "docker ps -a --format '{{.ID}} {{.Names}} {{.Image}}'",
    "version": "docker version",
    "info": "docker info --format '{{.ServerVersion}} {{.Containers}} {{.Name}}'",
    "images": "docker images --format '{{.ID}} {{.Repository}} {{.Size}}' | sort",
    "image inspect": f"docker image inspect {IMAGE}",
    "inspect": "docker inspect standing",
    "inspect nothing": "docker inspect nothere",
    "history": f"docker history --format '{{{{.ID}}}} {{{{.Size}}}}' {IMAGE}",
    "network ls": "docker network ls",
    "network inspect": "docker network inspect none",
    "volume": "docker volume create kept && docker volume inspect kept && docker volume rm kept",
    "create": f"docker create --name made {NONE} {IMAGE} true && docker rm made",
    "name taken": f"docker create --name standing {NONE} {IMAGE} true",
    "run": f"docker run --rm {NONE} {IMAGE} echo hi",
    "run fails": f"docker run --rm {NONE} {IMAGE} sh -c 'echo out; echo err >&2; exit 7'",
    "run with stdin": f"printf 'one\\ntwo\\n' | docker run --rm -i {NONE} {IMAGE} tr a-z A-Z",
    "run in steps": f"docker run --rm {NONE} {IMAGE} sh -c 'for i in 1 2 3; do echo $i; sleep 0.1; done'",
    "run no program": f"docker run --rm {NONE} {IMAGE} nothing-here",
    "run no image": f"docker run --rm --pull never {NONE} nothing-here true",
    "run detached": f"docker run -d --rm --name short {NONE} {IMAGE} true && docker wait short; true",
    "exec": "docker exec standing sh -c 'echo out; echo err >&2; exit 3'",
    "exec with stdin": "echo typed | docker exec -i standing cat",
    "logs": "docker logs talker",
    "logs -f": "docker logs -f talker",
    "logs tail": "docker logs --tail 1 talker",
    "diff": "docker diff talker",
    "top": "docker top standing -o comm",
    "stop and start": "docker stop -t 0 other && docker start other",
    "rename": "docker rename other another && docker rename another other",
    "tag": f"docker tag {IMAGE} second:tag && docker rmi second:tag",
    "events": "docker events --since 0 --until 1",
    "cp in": "docker cp {folder}/greeting standing:/greeting",
    "cp out": "docker cp standing:/bin/busybox - | wc -c",
    "export": "docker export talker | tar -t | sort | head -5",
    "save": f"docker save {IMAGE} | wc -c",
    "load": "docker load -i {folder}/image.tar",
    "import": "docker import {folder}/root.tar imported",
    "pull fails": "docker pull 127.0.0.1:1/nothing",
    "stats": "docker stats --no-stream --format '{{.Name}} {{.PIDs}}' standing",
    "system df": "docker system df --format '{{.Type}} {{.TotalCount}}'",
    "update": "docker update --cpu-shares 512 standing",
    "pause": "docker pause standing && docker unpause standing",
}
OLD = "/usr/bin/docker"
BUILDS = {
    "build": ("0", f"{OLD} build --network none {{folder}}"),
    "build fails": ("0", f"{OLD} build --network none --build-arg FAIL=1 {{folder}}"),
    "BuildKit": ("1", f"{OLD} build --no-cache -q --network none {{folder}}"),
}


@pytest.fixture(scope="module")
def standing(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Containers and files that the commands are about."""
    folder = tmp_path_factory.mktemp("replayed")
    (folder / "greeting").write_text("hello\n")
    (folder / "Dockerfile").write_text(
        f'FROM {IMAGE}\nARG FAIL=\nCOPY greeting /\nRUN cat /greeting; test -z "$FAIL"\n'
    )
    subprocess.run(["tar", "-C", folder, "-cf", folder / "root.tar", "greeting"], check=True)
    daemon.docker("run", "-d", "--name", "standing", "--network", "none", IMAGE, "sleep", "1000")
    daemon.docker("run", "-d", "--name", "other", "--network", "none", IMAGE, "sleep", "1000")
    daemon.docker("run", "--name", "talker", "--network", "none", IMAGE, "sh", "-c", "echo out; echo err >&2")
    daemon.docker("import", str(folder / "root.tar"), "small")
    daemon.docker("save", "-o", str(folder / "image.tar"), "small")
    yield folder
    daemon.docker("rm", "-f", "standing", "other", "talker")


def shell(command: str, docker: str) -> list[str]:
    """The command with this docker CLI."""
    return ["sh", "-c", f'docker() {{ {docker} "$@"; }}; {command}']


def replay(recording: Path, command: list[str], *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command against a recording, where no daemon can be reached."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    return subprocess.run(
        [*COMMAND, "replay", *options, str(recording), "--", *command],
        env={**clean, **variables, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("docker", clis() or ["docker"], ids=lambda path: path.replace("/", "-")[1:])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_the_same_without_the_daemon(
    daemon: Daemon, standing: Path, socktrace: Socktrace, name: str, docker: str
) -> None:
    command = shell(COMMANDS[name].replace("{folder}", str(standing)), docker)
    run = socktrace(*command, env=daemon.environment, options=("-q",))
    again = replay(run.recording, command, "--strict", DOCKER_CONFIG=str(standing))
    assert (again.stdout, again.returncode) == (run.stdout, run.status), again.stderr


@pytest.mark.parametrize("name", BUILDS)
def test_a_build_says_the_same_without_the_daemon(
    daemon: Daemon, standing: Path, socktrace: Socktrace, name: str
) -> None:
    need(shutil.which(OLD) is not None, f"{OLD} is not there")
    buildkit, line = BUILDS[name]
    command = ["sh", "-c", line.replace("{folder}", str(standing))]
    run = socktrace(*command, env={**daemon.environment, "DOCKER_BUILDKIT": buildkit}, options=("-q",))
    options = ("--match", "method,path") if buildkit == "1" else ()  # its session's id changes with every build
    again = replay(run.recording, command, *options, DOCKER_BUILDKIT=buildkit, DOCKER_CONFIG=str(standing))
    assert (again.stdout, again.returncode) == (run.stdout, run.status), again.stderr


def test_a_terminal_says_the_same_without_the_daemon(daemon: Daemon, socktrace: Socktrace, tmp_path: Path) -> None:
    script = program("script")
    inner = f"docker run --rm -it {NONE} {IMAGE} sh -c 'echo hello; sleep 0.5; stty size'"
    recording = tmp_path / "terminal.jsonl"
    runs = []
    for before in (f"-q -w {recording} --", f"replay {recording} --"):
        line = f"stty rows 30 cols 100; {' '.join(COMMAND)} {before} {inner}"
        environment = daemon.environment if "-w" in before else {**os.environ, "DOCKER_HOST": "unix:///nonexistent"}
        done = subprocess.run(
            [script, "-qec", line, "/dev/null"], env={**environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        runs.append((done.stdout, done.returncode))
    assert "hello" in runs[0][0]
    assert runs[1] == runs[0]
