"""Where the kernel allows less: no filter, no capabilities, foreign and setuid programs."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fixtures.private_daemon import Daemon
from tests import needs
from tests.capture.programs import PRELUDE, echo_server, run_program
from tests.runs import COMMAND, ROOT, Run, Socktrace
from tracer.events import Connect, Exec, PeerFound

ENV = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
ROUND_TRIP = "s=connect(); s.send(b'hello'); exactly(s,5); os.dup2(s.fileno(), 0); os.write(0, b'more'); os.read(0, 4)"

FORBID = """
import ctypes, os, struct, sys
# an outer filter: prctl(PR_SET_SECCOMP) fails with EINVAL, as on a kernel without seccomp filters
code = [(0x20,0,0,0),(0x15,0,3,%d),(0x20,0,0,16),(0x15,0,1,22),(6,0,0,0x50016),(6,0,0,0x7fff0000)]
raw = b"".join(struct.pack("=HBBI", *line) for line in code)
holder = ctypes.create_string_buffer(raw, len(raw))
program = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(holder)))
libc = ctypes.CDLL(None)
zero = ctypes.c_ulong(0)
libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero)
assert libc.prctl(22, ctypes.c_ulong(2), program, zero, zero) == 0
os.execv(sys.executable, [sys.executable, "-m", "tracer", *sys.argv[1:]])
"""
PRCTL = {"x86_64": 157, "aarch64": 167}[os.uname().machine]


def run_under(prefix: list[str], source: str, tmp_path: Path) -> Run:
    path, recording = tmp_path / "echo.sock", tmp_path / "run.jsonl"
    options = ["-q", "--no-redact", "--socket", str(path), "-w", str(recording)]
    with echo_server(path):
        argv = [*prefix, *options, sys.executable, "-c", PRELUDE + source, str(path)]
        done = subprocess.run(argv, env=ENV, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return Run(done, recording)


def test_without_a_filter_every_syscall_stops_and_the_events_are_the_same(tmp_path: Path) -> None:
    run = run_under([sys.executable, "-c", FORBID % PRCTL], ROUND_TRIP, tmp_path)
    assert run.streams == [(b"hellomore", b"hellomore")]
    assert any("no seccomp filter could be installed" in note for note in run.notes)


def test_without_any_capability_it_works_and_knows_less_of_the_peer(tmp_path: Path) -> None:
    needs.root()
    setpriv = needs.program("setpriv")
    prefix = [setpriv, "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", *COMMAND]
    run = run_under(prefix, ROUND_TRIP, tmp_path)
    assert run.streams == [(b"hellomore", b"hellomore")]
    assert run.of(Connect)[0].peer.pid == os.getpid()


def test_the_peer_is_named_with_the_evidence(socktrace: Socktrace, daemon: Daemon) -> None:
    run = socktrace("docker", "ps", env=daemon.environment)
    peer = run.of(Connect)[0].peer
    assert (peer.pid, peer.uid, peer.comm, peer.how) == (daemon.process.pid, 0, "dockerd", "SO_PEERCRED")
    better = run.of(PeerFound)[0].peer
    assert (better.pid, better.how, better.same_pid_namespace) == (daemon.process.pid, "sock_diag", True)


def test_a_socket_that_another_process_listened_on_is_traced_to_the_one_that_answers(
    socktrace: Socktrace, tmp_path: Path
) -> None:
    """Socket activation: one process calls listen, its child accepts. SO_PEERCRED names the wrong one."""
    path = tmp_path / "docker.sock"
    server = (
        "import os, socket, sys, time\n"
        "l = socket.socket(socket.AF_UNIX); l.bind(sys.argv[1]); l.listen()\n"
        "if os.fork(): l.close(); os.wait()\n"
        "c, _ = l.accept(); print(os.getpid(), flush=True); c.sendall(c.recv(9)); time.sleep(5)"
    )
    process = subprocess.Popen([sys.executable, "-c", server, str(path)], stdout=subprocess.PIPE, text=True)
    client = (
        "import socket, sys, time\n"
        "for _ in range(200):\n"
        "    s = socket.socket(socket.AF_UNIX)\n"
        "    try: s.connect(sys.argv[1]); break\n"
        "    except OSError: time.sleep(0.02)\n"
        "s.send(b'x'); s.recv(1)"
    )
    run = socktrace(sys.executable, "-c", client, str(path))
    assert process.stdout is not None
    accepting = int(process.stdout.readline())
    process.terminate()
    process.wait()
    made = next(event for event in run.of(Connect) if event.error is None)
    assert made.peer.pid == process.pid
    assert run.of(PeerFound)[0].peer.pid == accepting


def test_a_32_bit_program_is_said_not_to_be_followed(socktrace: Socktrace, tmp_path: Path) -> None:
    source = tmp_path / "small.c"
    source.write_text('void _start(void) { __asm__("movl $1, %eax; xorl %ebx, %ebx; int $0x80"); }\n')
    program = tmp_path / "small"
    built = subprocess.run(
        [needs.program("gcc"), "-m32", "-nostdlib", "-static", "-o", program, source], capture_output=True, check=False
    )
    needs.need(built.returncode == 0, "gcc can't make 32-bit programs here")
    run = socktrace(str(program))
    assert run.status == 0
    assert any("32-bit program" in note for note in run.notes)


def test_a_setuid_program_that_lost_its_privilege_is_explained(tmp_path: Path) -> None:
    needs.root()
    setpriv = needs.program("setpriv")
    program = tmp_path / "setuid-true"
    shutil.copy(shutil.which("true") or "/bin/true", program)
    os.chown(program, 65534, 65534)
    program.chmod(0o755 | stat.S_ISUID)
    recording = tmp_path / "run.jsonl"
    prefix = [setpriv, "--bounding-set=-all", "--inh-caps=-all", *COMMAND]
    done = subprocess.run(
        [*prefix, "-q", "-w", recording, program], env=ENV, capture_output=True, text=True, check=False
    )
    run = Run(done, recording)
    assert run.status == 0
    assert any("setuid" in note and "sudo socktrace" in note for note in run.notes)


def test_root_keeps_setuid_programs_working(socktrace: Socktrace) -> None:
    needs.root()
    run = socktrace("sh", "-c", "grep NoNewPrivs /proc/self/status")
    assert run.stdout.split() == ["NoNewPrivs:", "0"]


def test_io_uring_is_detected(socktrace: Socktrace, tmp_path: Path) -> None:
    source = "ctypes.CDLL(None).syscall(425, 4, ctypes.create_string_buffer(120))"
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    refused = subprocess.run(
        [
            sys.executable,
            "-c",
            "import ctypes; exit(ctypes.CDLL(None).syscall(425, 4, ctypes.create_string_buffer(120)) < 0)",
        ],
        check=False,
    ).returncode
    assert any("io_uring" in note for note in run.notes) == (refused == 0)


def test_the_command_is_told_as_it_was_started(socktrace: Socktrace) -> None:
    run = socktrace("true", "an argument")
    assert run.of(Exec)[0].argv == ["true", "an argument"]
    assert run.header.argv == ["true", "an argument"]


def test_inside_a_container(daemon: Daemon, tmp_path: Path) -> None:
    """The machine's files, seen from a container with Docker's default profile and capabilities."""
    recording = tmp_path / "run.jsonl"
    environment = ["env", f"PYTHONPATH={ROOT}", f"DOCKER_HOST=unix://{daemon.socket}", "HOME=/"]
    inside = ["busybox", "chroot", "/host", *environment, *COMMAND, "-w", str(recording), "docker", "ps", "-q"]
    daemon.docker("run", "--rm", "--pid=host", "--network", "none", "-v", "/:/host", "demo", *inside)
    run = Run(subprocess.CompletedProcess([], 0, "", ""), recording)
    assert run.streams[0][0].startswith(b"HEAD /_ping")


FORBID_PTRACE = FORBID.replace(
    "(0x15,0,3,%d),(0x20,0,0,16),(0x15,0,1,22),(6,0,0,0x50016)", "(0x15,0,1,%d),(6,0,0,0x50001)"
)
PTRACE = {"x86_64": 101, "aarch64": 117}[os.uname().machine]


def test_where_ptrace_is_forbidden_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", FORBID_PTRACE % PTRACE, "touch", str(tmp_path / "ran")]
    done = subprocess.run(argv, env=ENV, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 120
    assert "not permitted to trace" in done.stderr
    assert "--cap-add SYS_PTRACE" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "ran").exists()


def _python_for_everybody() -> list[str]:
    """A Python that a user without rights may run, with what socktrace needs."""
    needs.root()
    setpriv = needs.program("setpriv")
    as_nobody = [
        setpriv,
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "env",
        f"PYTHONPATH={SEARCH}",
        "HOME=/tmp",
    ]
    for python in (sys.executable, "/usr/bin/python3"):
        probe = [*as_nobody, python, "-c", "import msgspec, ptrace, rich, tracer"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return [*as_nobody, python]
    # even in CI: where the checkout lies is not ours to say, and root's folders are closed to others
    pytest.skip("neither this Python nor the system's can be run by another user from this folder")


SEARCH = os.pathsep.join([str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))])


@pytest.mark.parametrize("permitted", [True, False])
def test_an_ordinary_user(permitted: bool, tmp_path: Path) -> None:
    """In the docker group, or not."""
    python = _python_for_everybody()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o777)
        path, recording = Path(folder, "docker.sock"), Path(folder, "run.jsonl")
        client = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.send(b'x'); s.recv(1)"
        with echo_server(path):
            path.chmod(0o666 if permitted else 0o600)
            argv = [*python, "-m", "tracer", "-w", str(recording), python[-1], "-c", client, str(path)]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd="/", check=False)
        run = Run(done, recording)
        assert [event.error for event in run.of(Connect)] == [None if permitted else "EACCES"]
        assert ("usermod -aG docker" in done.stderr) == (not permitted)
        if not permitted:
            told = " ".join(done.stderr.split())
            assert f"Your user may not write to {path} (mode 0600, uid 0, gid 0)" in told
            shown = Socktrace(tmp_path).plain("show", "--explain", "--lang", "vi", str(recording)).stdout
            assert f"Người dùng của bạn không được ghi vào {path}" in " ".join(shown.split())
        assert run.streams == ([(b"x", b"x")] if permitted else [])
