"""The progress line: on the terminal of standard error, and never in the middle of what the command says there."""

from __future__ import annotations

import os
import pty
import re
import shlex
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.recordings import many
from fixtures.private_daemon import Daemon
from tests.runs import COMMAND, ROOT, rest_of
from tracer.capture.status_line import ERASE, StatusLine

ROW = re.compile(re.escape(ERASE.decode()) + r"(socktrace: [^\r\n\x1b]*)")

TALKER = """
import http.client, socket, sys, time
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.connect(sys.argv[1])
client = Unix("docker")
def ask(times):
    for _ in range(times):
        client.request("GET", "/_ping"); client.getresponse().read(); time.sleep(0.02)
def say(text, file=sys.stderr):
    file.write(text); file.flush()
ask(80); say("a warning\\n"); ask(40); say("half a "); ask(40); say("row\\n"); ask(40)
say("out\\n", sys.stdout)
"""


def in_terminal(script: str, environment: dict[str, str]) -> tuple[str, int]:
    """What a shell script writes to a terminal of 100 columns, and its status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("sh", ["sh", "-c", f"stty cols 100 rows 30 -onlcr; {script}"], environment)
    said = rest_of(terminal).decode()
    return said, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def rows(said: str) -> list[str]:
    return ROW.findall(said)


def without(said: str) -> str:
    return ROW.sub("", said).replace(ERASE.decode(), "")


def environment(daemon: Daemon | None = None) -> dict[str, str]:
    return {**(daemon.environment if daemon else os.environ), "PYTHONPATH": str(ROOT), "TERM": "xterm"}


def test_it_keeps_clear_of_what_the_command_says(daemon: Daemon, tmp_path: Path) -> None:
    talker = shlex.join([sys.executable, "-c", TALKER, str(daemon.socket)])
    alone, _ = in_terminal(f"{talker} >{tmp_path}/out", environment())
    said, status = in_terminal(f"{shlex.join(COMMAND)} -o {tmp_path}/timeline {talker} >{tmp_path}/out", environment())
    assert status == 0
    assert without(said) == alone == "a warning\nhalf a row\n"
    assert len(rows(said)) >= 3
    assert re.fullmatch(r"socktrace: \d+ exchanges · [\d.]+ kB sent, .* received · .*/s", rows(said)[0])
    before, _, after = said.partition("half a ")
    assert after.startswith("row\n"), "the row was not ended, so the line must wait"
    assert before.endswith(ERASE.decode()), "the line is taken away before the command writes"
    assert said.endswith(ERASE.decode())
    assert (tmp_path / "timeline").read_text().count("GET /_ping") == 200


@pytest.mark.parametrize(
    ("options", "redirect"), [("", ""), ("-q -w {folder}/x.jsonl", ">{folder}/out"), ("", ">{folder}/out 2>&1")]
)
def test_where_there_is_no_room_there_is_no_line(options: str, redirect: str, daemon: Daemon, tmp_path: Path) -> None:
    talker = shlex.join([sys.executable, "-c", TALKER, str(daemon.socket)])
    command = f"{shlex.join(COMMAND)} {options} {talker} {redirect}".format(folder=tmp_path)
    said, _ = in_terminal(command, environment())
    assert rows(said) == []


def test_a_program_that_draws_has_the_terminal_for_itself(daemon: Daemon, tmp_path: Path) -> None:
    draws = TALKER.replace("a warning\\n", "\\033[31mred\\033[0m\\n")
    talker = shlex.join([sys.executable, "-c", draws, str(daemon.socket)])
    said, _ = in_terminal(f"{shlex.join(COMMAND)} -o {tmp_path}/timeline {talker} >{tmp_path}/out", environment())
    before, _, after = said.partition("\x1b[31mred")
    assert rows(before)
    assert rows(after) == []


def test_a_prompt_on_the_controlling_terminal_is_left_alone(daemon: Daemon, tmp_path: Path) -> None:
    prompts = TALKER.replace('say("half a ")', 'open("/dev/tty", "w").write("Password: ")').replace('"row\\n"', '"\\n"')
    talker = shlex.join([sys.executable, "-c", prompts, str(daemon.socket)])
    said, _ = in_terminal(f"{shlex.join(COMMAND)} -o {tmp_path}/timeline {talker} >{tmp_path}/out", environment())
    assert said.partition("Password: ")[2].startswith("\n")


def test_entries_of_an_archive(daemon: Daemon, tmp_path: Path) -> None:
    slow = "import sys, time\nwhile data := sys.stdin.buffer.read(20480): time.sleep(0.03)"
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        (folder / f"file{number}").write_bytes(os.urandom(6000))
    daemon.docker("create", "--name", "entries", "--network", "none", "demo", "true")
    try:
        daemon.docker("cp", str(folder), "entries:/")
        command = (
            f"{shlex.join(COMMAND)} -o {tmp_path}/t docker cp entries:/many - | {sys.executable} -c {shlex.quote(slow)}"
        )
        said, _ = in_terminal(command, environment(daemon))
    finally:
        daemon.docker("rm", "entries")
    assert any(re.search(r" · \d+ entries of GET /v[\d.]+/con", row) for row in rows(said)), said


@pytest.mark.parametrize(
    "verb",
    ["show {file} >{out}", "show -o {out} {file}", "export -f json -o {out} {file}", "export -f json {file} >{out}"],
)
def test_long_recordings(verb: str, tmp_path: Path) -> None:
    many(tmp_path / "many.jsonl", 24_000)
    options = verb.format(file=tmp_path / "many.jsonl", out=tmp_path / "out")
    said, status = in_terminal(f"{shlex.join(COMMAND)} {options}", environment())
    assert status == 0
    assert len(rows(said)) >= 1
    assert without(said) == ""
    assert (tmp_path / "out").stat().st_size > 1_000_000


def test_from_the_tracer_to_the_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules, one by one, on a terminal of our own."""
    controller, terminal = pty.openpty()
    attributes = termios.tcgetattr(terminal)
    attributes[1] = 0
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
    line = StatusLine(terminal)
    monkeypatch.setattr(line, "_is_quiet", lambda: True)

    def drawn(*steps: Callable[[], None]) -> bool:
        for step in steps:
            step()
        line.draw("text")
        shown = bool(line._state[0])
        line.clear()
        return shown

    try:
        assert drawn()
        assert not drawn(line.begins)
        assert drawn(lambda: line.ended(b"a whole row\n"))
        assert not drawn(line.begins, lambda: line.ended(b"half a row"))
        assert not drawn(line.begins, lambda: line.ended(b""))
        assert drawn(line.begins, lambda: line.ended(b", the rest\n"))
        assert not drawn(line.begins, lambda: line.ended(b"\x1b[1mbold\n"))
        assert not drawn(line.begins, lambda: line.ended(b"a row\n"))
        assert line.is_on(os.getpid(), terminal)
        assert not line.is_on(os.getpid(), controller)
        assert not line.is_on(os.getpid(), 999)
    finally:
        os.close(controller)
        os.close(terminal)


def test_beside_a_process_that_runs(daemon: Daemon, tmp_path: Path) -> None:
    """-p draws on a terminal of its own, not on that of the process."""
    talker = shlex.join([sys.executable, "-c", TALKER, str(daemon.socket)])
    trace = f"{shlex.join(COMMAND)} -o {tmp_path}/timeline -p $!"
    apart = f"{talker} <{os.devnull} >{tmp_path}/out 2>&1"
    said, _ = in_terminal(f"{apart} & sleep 0.5; {trace}", environment())  # it has left the terminal by then
    assert rows(said)
    said, _ = in_terminal(f"{talker} & {trace}", environment())
    assert rows(said) == []
