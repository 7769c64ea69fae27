"""The command must not notice us."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runs import COMMAND, ROOT, Socktrace

ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


def status_of(*command: str) -> int:
    return subprocess.run([*COMMAND, "-q", *command], env=ENV, capture_output=True, timeout=60, check=False).returncode


@pytest.mark.parametrize("status", [0, 1, 3, 120, 126, 255])
def test_the_exit_status_is_the_commands_own(status: int) -> None:
    assert status_of("sh", "-c", f"exit {status}") == status


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT", "SIGSEGV", "SIGPIPE", "SIGABRT"])
def test_death_by_a_signal_is_passed_on(name: str) -> None:
    number = getattr(signal, name)
    assert status_of("sh", "-c", f"kill -{number.value} $$") == -number


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (["no-such-command"], 127, "command not found"),
        (["/no/such/command"], 127, "command not found"),
        (["/etc/passwd"], 126, "not executable"),
        (["/"], 126, "is a directory"),
        ([""], 127, "empty string"),
    ],
)
def test_what_can_not_be_run(argv: list[str], status: int, words: str, socktrace: Socktrace) -> None:
    done = socktrace.plain(*argv)
    assert done.returncode == status
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_exec_that_the_kernel_refuses(socktrace: Socktrace, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"\x7fELFgarbage")
    bad.chmod(0o755)
    done = socktrace.plain("-q", str(bad))
    assert done.returncode in (126, 127, 2)
    script = tmp_path / "script"
    script.write_text("echo from a script without a first line\n")
    script.chmod(0o755)
    assert socktrace.plain("-q", str(script)).stdout == "from a script without a first line\n"


def test_no_descriptor_of_ours_leaks(socktrace: Socktrace) -> None:
    listing = ["sh", "-c", "ls /proc/self/fd"]
    alone = subprocess.run(listing, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True).stdout
    assert socktrace.plain("-q", *listing).stdout == alone


INHERITED = """
import os, resource, signal
print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
print([resource.getrlimit(n) for n in range(16)], os.getcwd(), os.getpgrp() == os.getpgid(os.getppid()))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(status["Umask"], status["SigIgn"], status["CapEff"], status["NoNewPrivs"])
"""


def test_the_command_inherits_what_it_would_without_us(socktrace: Socktrace) -> None:
    alone = subprocess.run([sys.executable, "-c", INHERITED], capture_output=True, text=True, env=ENV, check=True)
    assert socktrace.plain("-q", sys.executable, "-c", INHERITED, env=ENV).stdout == alone.stdout


def test_the_command_goes_before_the_display(socktrace: Socktrace) -> None:
    """The front, its parent, is the nicer one."""
    done = socktrace.plain("-q", "sh", "-c", "nice; cut -d' ' -f19 /proc/$PPID/stat")
    own, fronts = map(int, done.stdout.split())
    assert own == os.nice(0)
    assert fronts > own


def test_stdin_stdout_and_stderr_are_the_commands(socktrace: Socktrace) -> None:
    run = socktrace("sh", "-c", "cat; echo err >&2", options=("-q",), stdin="in\n")
    assert (run.stdout, run.stderr) == ("in\n", "err\n")


def test_the_timeline_comes_after_the_commands_output(socktrace: Socktrace) -> None:
    run = socktrace("sh", "-c", "echo err >&2", options=())
    assert run.stderr.startswith("err\n")
    assert "socktrace sh" in run.stderr


def test_a_signal_to_socktrace_reaches_the_command() -> None:
    code = "trap 'echo got it; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    process = subprocess.Popen([*COMMAND, "-q", "sh", "-c", code], env=ENV, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[0] == "got it\n"
    assert process.returncode == 9


def test_a_killed_socktrace_takes_the_command_with_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = f"echo $$ > {pid_file}; exec sleep 60"
    process = subprocess.Popen([*COMMAND, "-q", "sh", "-c", code], env=ENV)
    _until(lambda: pid_file.exists() and pid_file.read_text().strip() != "")
    pid = int(pid_file.read_text())
    process.kill()
    process.wait(10)
    _until(lambda: not _lives(pid))


def test_a_process_that_outlives_the_command_lives_on(socktrace: Socktrace, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    work = f"sleep 0.5; echo alive > {tmp_path}/proof; read line < {tmp_path}/proof; echo $line > {tmp_path}/proof2"
    code = f"({work}; sleep 60) > /dev/null 2>&1 & echo $! > {pid_file}"
    began = time.monotonic()
    run = socktrace("sh", "-c", code)
    assert time.monotonic() - began < 20
    assert run.status == 0
    assert any("on in the background" in note for note in run.notes)
    _until(lambda: (tmp_path / "proof2").exists() and (tmp_path / "proof2").read_text() == "alive\n")
    os.kill(int(pid_file.read_text()), signal.SIGKILL)


def _until(condition: object, seconds: float = 20) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_job_control_in_a_real_terminal(tmp_path: Path) -> None:
    """Ctrl-Z stops the job and fg goes on with it; Ctrl-C ends the command by SIGINT; a background job that reads
    the terminal is stopped."""
    shell, terminal = pty.fork()
    if shell == 0:
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], {**ENV, "PS1": "$ ", "HISTFILE": "/dev/null"})
    screen = bytearray()

    def type_in(text: str) -> None:
        os.write(terminal, text.encode())

    def wait_for(words: str) -> None:
        end = time.monotonic() + 20
        while words.encode() not in screen:
            assert time.monotonic() < end, screen.decode(errors="replace")
            if select.select([terminal], [], [], 0.1)[0]:
                screen.extend(os.read(terminal, 4096))
        del screen[: screen.index(words.encode()) + len(words)]

    try:
        type_in(f"{' '.join(COMMAND)} -q sh -c 'echo be''gun; sleep 1.5; echo do''ne; sleep 60'\n")
        wait_for("begun")
        time.sleep(0.4)  # a stop between vfork and exec would hang the shell, with or without us
        type_in("\x1a")
        wait_for("Stopped")
        type_in("fg\n")
        wait_for("done")
        time.sleep(0.4)  # dash ignores signals between vfork and exec
        type_in("\x03")
        type_in("echo status=$?\n")
        wait_for("status=130")
        type_in(f"{' '.join(COMMAND)} -q cat &\n")
        time.sleep(1)
        type_in("\njobs -l; echo lis''ted\n")
        wait_for("Stopped (tty input)")
        wait_for("listed")
        type_in("fg\n")
        time.sleep(0.3)
        type_in("a line\n\x04")
        wait_for("a line\r\na line")
    finally:
        os.kill(shell, signal.SIGKILL)
        os.waitpid(shell, 0)
        os.close(terminal)
