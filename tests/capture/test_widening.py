"""The second filter: it comes with a process's first connection, by whatever way, and the program notices nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.capture.programs import run_program
from tests.needs import need
from tests.runs import Run, Socktrace
from tracer.capture import widening
from tracer.events import Note


@pytest.fixture(autouse=True)
def two_filters() -> None:
    """Other architectures and older kernels have one filter for all."""
    need(widening.is_possible(), "no second filter: another architecture, or Linux before 5.9")


STATE = """
def filters(): return int(open("/proc/thread-self/status").read().split("Seccomp_filters:")[1].split()[0])
def pages():
    ranges = (line.split()[0].split("-") for line in open("/proc/self/maps"))
    return {start for start, end in ranges if int(end, 16) - int(start, 16) == 4096}
def state():
    names = ("SigPnd", "SigBlk", "SigIgn", "SigCgt", "ShdPnd", "NoNewPrivs", "Threads")
    lines = [line for line in open("/proc/thread-self/status") if line.startswith(names)]
    return signal.pthread_sigmask(signal.SIG_BLOCK, []), lines
"""

CALL = """
import ctypes.util
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments): return libc.syscall(number, *[ctypes.c_long(a) for a in arguments])
"""

FORBIDS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
code = struct.pack("=HBBI", 0x20, 0, 0, 0)  # the number of the call
code += struct.pack("=HBBI", 0x15, 0, 1, 317) + struct.pack("=HBBI", 0x06, 0, 0, 0)  # seccomp(2): killed
code += struct.pack("=HBBI", 0x06, 0, 0, 0x7fff0000)  # all else is allowed
holder = ctypes.create_string_buffer(code)
program = struct.pack("@HP", len(code) // 8, ctypes.addressof(holder))
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, program, 0, 0) == 0
"""


def exchanged(run: Run) -> None:
    assert run.status == 0, run.stderr
    assert run.streams[-1] == (b"hello", b"hello")


def test_it_comes_with_the_first_connection_and_leaves_no_trace(socktrace: Socktrace, tmp_path: Path) -> None:
    source = STATE + (
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n"
        "s=socket.socket(socket.AF_UNIX); before, had, small = state(), filters(), pages()\n"
        "s.connect(PATH)\n"
        "now=pages(); assert state() == before; assert filters() == had + 1; assert now <= small, sorted(now-small)\n"
        "s.send(b'hello'); exactly(s,5)\n"
        "t=connect(); assert filters() == had + 1; t.close()\n"
    )
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    assert run.status == 0, run.stderr
    assert run.streams[0] == (b"hello", b"hello")
    assert run.of(Note) == []


def test_it_reaches_every_thread(socktrace: Socktrace, tmp_path: Path) -> None:
    source = STATE + (
        "go, done = threading.Event(), threading.Event(); seen=[]\n"
        "def other():\n"
        "    had=filters(); done.set(); go.wait(); seen.append(filters()-had); s.send(b'hello'); exactly(s,5)\n"
        "t=threading.Thread(target=other); t.start(); done.wait(); s=connect(); go.set(); t.join(); assert seen==[1]\n"
    )
    exchanged(run_program(socktrace, tmp_path / "echo.sock", source))


def test_a_storm_of_signals(socktrace: Socktrace, tmp_path: Path) -> None:
    """Signals come while the filter is installed: they wait, and the handler goes on to run afterwards."""
    source = (
        "hits=[0]\n"
        "def hit(*_): hits[0]+=1\n"
        "signal.signal(signal.SIGALRM, hit); signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)\n"
        "for _ in range(30):\n"
        "    p=os.fork()\n"
        "    if p==0:\n"
        "        signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)\n"
        "        s=connect(); s.send(b'hello'); assert exactly(s,5)==b'hello'; before=hits[0]\n"
        "        ends=time.monotonic()+5\n"
        "        while hits[0]==before and time.monotonic()<ends: pass\n"
        "        os._exit(hits[0]==before)\n"
        "    while True:\n"
        "        try: _, status = os.waitpid(p, 0); break\n"
        "        except InterruptedError: pass\n"
        "    assert status==0, status\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
    )
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    assert run.status == 0, run.stderr
    assert run.streams == [(b"hello", b"hello")] * 30


WAYS = {
    "a message that was waited for before there was a connection": (
        "a,b=socket.socketpair()\n"
        "p=os.fork()\n"
        "if p==0:\n"
        "    _,fds,_,_=socket.recv_fds(b,10,1); os.write(fds[0], b'hello'); os.read(fds[0], 5); os._exit(0)\n"
        "time.sleep(0.2); s=connect(); socket.send_fds(a,[b'x'],[s.fileno()]); os.waitpid(p,0)"
    ),
    "pidfd_getfd": CALL + (
        "r,w=os.pipe(); back,ready=os.pipe(); p=os.fork()\n"
        "if p==0:\n"
        "    fd=int.from_bytes(os.read(r,4),'little'); mine=call(438, os.pidfd_open(os.getppid()), fd, 0)\n"
        "    os.write(mine, b'hello'); os.read(mine, 5); os._exit(0)\n"
        "s=connect(); os.write(w, s.fileno().to_bytes(4,'little')); assert os.waitpid(p,0)[1]==0"
    ),
    "a table shared with a process that was there before": CALL + (
        "r,w=os.pipe(); CLONE_FILES=0x400; p=call(56, CLONE_FILES|signal.SIGCHLD, 0, 0, 0, 0)\n"
        "if p==0:\n"
        "    fd=int.from_bytes(os.read(r,4),'little'); os.write(fd, b'hello'); os.read(fd, 5); os._exit(0)\n"
        "time.sleep(0.1); s=connect(); os.write(w, s.fileno().to_bytes(4,'little')); assert os.waitpid(p,0)[1]==0"
    ),
    "a socket that a child had before it was connected": (
        "r,w=os.pipe(); s=socket.socket(socket.AF_UNIX); p=os.fork()\n"
        "if p==0: os.read(r,1); s.send(b'hello'); exactly(s,5); os._exit(0)\n"
        "s.connect(PATH); os.write(w,b'x'); assert os.waitpid(p,0)[1]==0"
    ),
    "the second one of those": (
        "r,w=os.pipe(); s=socket.socket(socket.AF_UNIX); p=os.fork()\n"
        "if p==0: os.read(r,1); s.send(b'hello'); exactly(s,5); os._exit(0)\n"
        "t=connect(); t.close(); s.connect(PATH); os.write(w,b'x'); assert os.waitpid(p,0)[1]==0"
    ),
    "a process with a filter of its own, which forbids ours": FORBIDS + "s=connect(); s.send(b'hello'); exactly(s,5)",
    "a process that gave up root": "os.setuid(65534); s=connect(); s.send(b'hello'); exactly(s,5)",
    "a thread that ends at once": (
        "t=threading.Thread(target=lambda: globals().update(s=connect())); t.start(); t.join()\n"
        "s.send(b'hello'); exactly(s,5)"
    ),
    "a connection that is made later, non-blocking": (
        "import select; s=socket.socket(socket.AF_UNIX); s.setblocking(False); s.connect_ex(PATH)\n"
        "select.select([],[s],[],5); s.setblocking(True); s.send(b'hello'); exactly(s,5)"
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_a_connection(way: str, socktrace: Socktrace, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for folder in list(tmp_path.parents)[:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    source = "os.chmod(PATH, 0o777)\n" + WAYS[way]
    exchanged(run_program(socktrace, tmp_path / "echo.sock", source))


def test_children_that_are_made_at_that_very_moment(socktrace: Socktrace, tmp_path: Path) -> None:
    """Threads fork all the time; who uses the connection later is seen, whichever filters it was born with."""
    source = (
        "s=socket.socket(socket.AF_UNIX); r,w=os.pipe(); made, stop = [], threading.Event()\n"
        "def forks():\n"
        "    while not stop.is_set():\n"
        "        p=os.fork()\n"
        "        if p==0: os.read(r,1); os._exit(os.write(s.fileno(), b'x') != 1)\n"
        "        made.append(p); time.sleep(0.001)\n"
        "ts=[threading.Thread(target=forks) for _ in range(3)]\n"
        "for t in ts: t.start()\n"
        "time.sleep(0.02); s.connect(PATH); time.sleep(0.02); stop.set()\n"
        "for t in ts: t.join()\n"
        "os.write(w, b'.'*len(made))\n"
        "for p in made: assert os.waitpid(p,0)[1]==0\n"
        "print(len(made))\n"
    )
    for _ in range(3):
        (tmp_path / "echo.sock").unlink(missing_ok=True)
        run = run_program(socktrace, tmp_path / "echo.sock", source)
        assert run.status == 0, run.stderr
        assert run.streams[0][0] == b"x" * int(run.stdout)


def test_an_exec_in_another_thread_at_that_very_moment(socktrace: Socktrace, tmp_path: Path) -> None:
    """It ends the thread that is being used; the new program runs as if nothing had been."""
    source = (
        "for wait in range(60):\n"
        "    p=os.fork()\n"
        "    if p==0:\n"
        "        threading.Thread(target=connect).start(); ends=time.perf_counter()+wait*0.00002\n"
        "        while time.perf_counter()<ends: pass\n"
        "        os.execv('/bin/sh', ['sh', '-c', 'exit 5'])\n"
        "    assert os.waitstatus_to_exitcode(os.waitpid(p,0)[1])==5\n"
    )
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    assert run.status == 0, run.stderr
