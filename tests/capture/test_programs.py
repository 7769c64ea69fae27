"""Tiny real programs, each one way to use a socket: the trace must equal what the program did."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs
from tests.capture.programs import PRELUDE, echo_server, run_program
from tests.runs import ROOT, Run, Socktrace
from tracer.events import Close, Connect, Data, Exec, Exit, Fork, Shutdown

ROUND_TRIPS = {
    "send and recv": "s=connect(); s.send(b'hello'); exactly(s,5)",
    "write and read": "s=connect(); os.write(s.fileno(), b'hello'); os.read(s.fileno(), 5)",
    "writev and readv": "s=connect(); os.writev(s.fileno(), [b'he', b'', b'llo']); os.readv(s.fileno(), [bytearray(2), bytearray(9)])",
    "sendmsg and recvmsg": "s=connect(); s.sendmsg([b'hel', b'lo']); s.recvmsg(10)",
    "recv into several buffers": "s=connect(); s.send(b'hello'); s.recvmsg_into([bytearray(2), bytearray(3)])",
    "peek is not counted twice": "s=connect(); s.send(b'hello'); s.recv(5, socket.MSG_PEEK|socket.MSG_WAITALL); exactly(s,5)",
    "preadv2 and pwritev2": "s=connect(); os.pwritev(s.fileno(), [b'he', b'llo'], -1); os.preadv(s.fileno(), [bytearray(9)], -1)",
    "sendmmsg and recvmmsg": (
        "libc=ctypes.CDLL(None); s=connect()\n"
        "class V(ctypes.Structure): _fields_=[('b',ctypes.c_char_p),('n',ctypes.c_size_t)]\n"
        "class H(ctypes.Structure): _fields_=[('name',ctypes.c_void_p),('namelen',ctypes.c_uint),('iov',ctypes.POINTER(V)),"
        "('count',ctypes.c_size_t),('c',ctypes.c_void_p),('cl',ctypes.c_size_t),('f',ctypes.c_int)]\n"
        "class M(ctypes.Structure): _fields_=[('h',H),('n',ctypes.c_uint)]\n"
        "one, two = V(b'hel',3), V(b'lo',2); a=(M*2)(); a[0].h.iov=ctypes.pointer(one); a[1].h.iov=ctypes.pointer(two)\n"
        "a[0].h.count=a[1].h.count=1; assert libc.sendmmsg(s.fileno(), a, 2, 0)==2; time.sleep(0.2)\n"
        "room=V(b'.'*9, 9); b=(M*1)(); b[0].h.iov=ctypes.pointer(room); b[0].h.count=1; assert libc.recvmmsg(s.fileno(), b, 1, 0, None)==1"
    ),
    "a shared descriptor table": (
        "s=connect(); n=s.fileno(); libc=ctypes.CDLL(None); stack=ctypes.create_string_buffer(1<<20)\n"
        "f=ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda _: libc.dup2(n, 60) and 0)\n"
        "top=ctypes.c_void_p((ctypes.addressof(stack)+(1<<20)) & ~15)\n"
        "p=libc.clone(f, top, 0x100|0x400|0x4000|17, None); os.waitpid(p,0); os.write(60, b'hello'); os.read(60, 5)"
    ),
    "close_range over a duplicate": (
        "s=connect(); d=os.dup2(s.fileno(), 90); ctypes.CDLL(None).syscall(436, 80, 100, 0); s.send(b'hello'); exactly(s,5)"
    ),
    "dup": "s=connect(); d=os.dup(s.fileno()); s.close(); os.write(d, b'hello'); os.read(d, 5)",
    "dup2 to a high number": "s=connect(); os.dup2(s.fileno(), 77); os.write(77, b'hello'); os.read(77, 5)",
    "fcntl": "import fcntl; s=connect(); d=fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 50); os.write(d, b'hello'); os.read(d, 5)",
    "dup2 to stdin": "s=connect(); os.dup2(s.fileno(), 0); os.write(0, b'hello'); os.read(0, 5)",
    "stdin while another thread runs": (
        "s=connect(); t=threading.Thread(target=lambda: (time.sleep(0.2), os.write(0, b'hello'), os.read(0, 5))); t.start();"
        "os.dup2(s.fileno(), 0); t.join()"
    ),
    "connect gets number 0": "os.close(0); s=connect(); assert s.fileno()==0; os.write(0, b'hello'); os.read(0, 5)",
    "non-blocking": (
        "s=connect(); s.setblocking(False)\n"
        "try: s.recv(5)\nexcept BlockingIOError: pass\n"
        "s.send(b'hello'); s.setblocking(True); exactly(s,5)"
    ),
    "fork, the child uses it": "s=connect(); p=os.fork()\nif p==0: s.send(b'hello'); exactly(s,5); os._exit(0)\nos.waitpid(p,0)",
    "vfork and exec, inherited": (
        "import subprocess; s=connect(); s.set_inheritable(True);"
        "subprocess.run([sys.executable,'-c',f'import os; os.write({s.fileno()}, b\"hello\"); os.read({s.fileno()}, 5)'], close_fds=False)"
    ),
    "passed to another process": (
        "a,b=socket.socketpair(); p=os.fork()\n"
        "if p==0:\n"
        "    _,fds,_,_=socket.recv_fds(b,10,1); os.write(fds[0], b'hello'); os.read(fds[0], 5); os._exit(0)\n"
        "s=connect(); socket.send_fds(a,[b'x'],[s.fileno()]); s.close(); os.waitpid(p,0)"
    ),
    "passed on and closed before it arrives": (
        "a,b=socket.socketpair(); p=os.fork()\n"
        "if p==0:\n"
        "    time.sleep(0.3); _,fds,_,_=socket.recv_fds(b,10,1); os.write(fds[0], b'hello'); os.read(fds[0], 5); os._exit(0)\n"
        "s=connect(); socket.send_fds(a,[b'x'],[s.fileno()]); s.close(); os.waitpid(p,0)"
    ),
    "another thread": "s=connect(); t=threading.Thread(target=lambda: (s.send(b'hello'), exactly(s,5))); t.start(); t.join()",
    "sendfile": (
        "import tempfile; f=tempfile.TemporaryFile(); f.write(b'..hello'); f.flush(); s=connect();"
        "os.sendfile(s.fileno(), f.fileno(), 2, 5); exactly(s,5)"
    ),
    "sendfile from the file's position": (
        "import tempfile; f=tempfile.TemporaryFile(); f.write(b'..hello'); f.flush(); os.lseek(f.fileno(),2,0); s=connect();"
        "os.sendfile(s.fileno(), f.fileno(), None, 5); exactly(s,5)"
    ),
    "posix_spawn": (
        "s=connect(); s.set_inheritable(True)\n"
        "code=f'import os; os.write({s.fileno()}, b\"hello\"); os.read({s.fileno()}, 5)'\n"
        "os.waitpid(os.posix_spawn(sys.executable, [sys.executable,'-c',code], os.environ), 0)"
    ),
    "interrupted by a signal": (
        "signal.signal(signal.SIGALRM, lambda *a: None); signal.setitimer(signal.ITIMER_REAL, 0.05, 0.01); s=connect();"
        "threading.Timer(0.3, lambda: s.send(b'hello')).start(); exactly(s,5); signal.setitimer(signal.ITIMER_REAL, 0)"
    ),
}


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_every_way_to_move_five_bytes(name: str, socktrace: Socktrace, tmp_path: Path) -> None:
    run = run_program(socktrace, tmp_path / "echo.sock", ROUND_TRIPS[name])
    assert run.status == 0, run.stderr
    assert run.streams == [(b"hello", b"hello")], name


def test_bytes_that_are_not_kept_are_counted(socktrace: Socktrace, tmp_path: Path) -> None:
    source = "r,w=os.pipe(); os.write(w,b'hello'); s=connect(); os.splice(r, s.fileno(), 5); exactly(s,5)"
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    sent = [event for event in run.of(Data) if event.dir == "out"]
    assert [(event.size, event.payload, event.syscall) for event in sent] == [(5, None, "splice")]


def test_partial_writes_are_what_the_kernel_took(socktrace: Socktrace, tmp_path: Path) -> None:
    source = (
        "s=connect(); s.setblocking(False); total=0\n"
        "while True:\n"
        "    try: total+=s.send(b'x'*1000000)\n"
        "    except BlockingIOError: break\n"
        "print(total)"
    )
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    assert len(run.streams[0][0]) == int(run.stdout)


def test_the_same_number_for_a_new_connection_is_a_new_connection(socktrace: Socktrace, tmp_path: Path) -> None:
    source = "for word in (b'one', b'two'):\n s=connect(); s.send(word); exactly(s,3); s.close()"
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    assert run.streams == [(b"one", b"one"), (b"two", b"two")]
    assert len({event.fd for event in run.of(Connect)}) == 1
    assert [event.conn for event in run.of(Close)] == [1, 2]


def test_shutdown_and_end_of_stream(socktrace: Socktrace, tmp_path: Path) -> None:
    run = run_program(socktrace, tmp_path / "echo.sock", "s=connect(); s.shutdown(socket.SHUT_WR); print(s.recv(1))")
    assert [event.how for event in run.of(Shutdown)] == ["wr"]
    assert [event.size for event in run.of(Data) if event.dir == "in"] == [0]


def test_a_connection_is_closed_when_its_last_descriptor_is(socktrace: Socktrace, tmp_path: Path) -> None:
    source = "s=connect(); d=os.dup(s.fileno()); s.close(); time.sleep(0.1); print(time.monotonic(), flush=True); os.close(d)"
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    closes = run.of(Close)
    assert len(closes) == 1
    assert closes[0].t - run.of(Connect)[0].t > 0.1


def test_many_processes_and_threads_at_once(socktrace: Socktrace, tmp_path: Path) -> None:
    source = """
def talk(word):
    s = connect()
    for _ in range(10):
        s.send(word); exactly(s, len(word))
    s.close()
for number in range(10):
    if os.fork() == 0:
        threads = [threading.Thread(target=talk, args=(b"%d-%d;" % (number, t),)) for t in range(5)]
        [t.start() for t in threads]; [t.join() for t in threads]
        os._exit(0)
for _ in range(10): os.wait()
"""
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    expected = sorted((b"%d-%d;" % (number, thread) * 10,) * 2 for number in range(10) for thread in range(5))
    assert sorted(run.streams) == expected


def test_forks_threads_execs_and_exits_are_told(socktrace: Socktrace, tmp_path: Path) -> None:
    source = (
        "t=threading.Thread(target=lambda: None); t.start(); t.join()\n"
        "p=os.fork()\nif p==0: os.execv('/bin/sh', ['sh','-c','exit 5'])\nos.waitpid(p,0)"
    )
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    forks = run.of(Fork)
    assert [fork.thread for fork in forks] == [True, False]
    child = forks[1].child
    assert ["sh", "-c", "exit 5"] in [event.argv for event in run.of(Exec) if event.pid == child]
    assert [event.status for event in run.of(Exit) if event.pid == child] == [5]


def test_exec_by_a_thread_that_is_not_the_leader(socktrace: Socktrace, tmp_path: Path) -> None:
    source = (
        "s=connect(); s.set_inheritable(True); n=s.fileno()\n"
        "code=f'import os; os.write({n}, b\"hello\"); os.read({n}, 5)'\n"
        "threading.Thread(target=lambda: os.execv(sys.executable, [sys.executable, '-c', code])).start()\n"
        "time.sleep(30)"
    )
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    assert run.status == 0
    assert run.streams == [(b"hello", b"hello")]


@pytest.mark.parametrize("kind", ["symlink", "relative", "bind", "chroot"])
def test_a_socket_is_recognised_by_any_path(kind: str, socktrace: Socktrace, tmp_path: Path) -> None:
    path = tmp_path / "echo.sock"
    (tmp_path / "link.sock").symlink_to(path)
    source = {
        "symlink": f"PATH={str(tmp_path / 'link.sock')!r}; s=connect()",
        "relative": f"os.chdir({str(tmp_path)!r}); PATH='echo.sock'; s=connect()",
        "bind": (
            f"os.makedirs({str(tmp_path / 'other')!r}); os.system('mount --bind {tmp_path} {tmp_path}/other');"
            f"PATH={str(tmp_path / 'other' / 'echo.sock')!r}; s=connect(); os.system('umount {tmp_path}/other')"
        ),
        "chroot": f"os.chroot({str(tmp_path)!r}); os.chdir('/'); PATH='/echo.sock'; s=connect()",
    }[kind]
    if kind in ("bind", "chroot"):
        needs.root()
    run = run_program(socktrace, path, source)
    assert [event.error for event in run.of(Connect)] == [None]


def test_an_abstract_socket(socktrace: Socktrace, tmp_path: Path) -> None:
    name = f"\0socktrace-test-{os.getpid()}"
    with echo_server(name):
        source = f"import socket; s=socket.socket(socket.AF_UNIX); s.connect({name!r}); s.send(b'x'); s.recv(1)"
        run = socktrace(sys.executable, "-c", source, options=("-q", "--socket", "@" + name[1:]))
    assert run.streams == [(b"x", b"x")]


@pytest.mark.parametrize(
    ("prepare", "error"),
    [("", "ENOENT"), ("s=socket.socket(socket.AF_UNIX); s.bind(PATH); s.close()", "ECONNREFUSED")],
)
def test_failed_connects_are_events(prepare: str, error: str, socktrace: Socktrace, tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    source = f"import socket,sys; PATH={str(path)!r}; {prepare}\ntry: socket.socket(socket.AF_UNIX).connect(PATH)\nexcept OSError: pass"
    run = socktrace(sys.executable, "-c", source)
    assert [(event.error, event.address) for event in run.of(Connect)] == [(error, str(path))]


def test_other_sockets_are_not_recorded_but_said(socktrace: Socktrace, tmp_path: Path) -> None:
    path = tmp_path / "other.sock"
    source = f"import socket; s=socket.socket(socket.AF_UNIX); s.connect({str(path)!r}); s.send(b'x'); s.recv(1)"
    with echo_server(path):
        run = socktrace(sys.executable, "-c", source)
        everything = socktrace(sys.executable, "-c", source, options=("-q", "--all-sockets"))
    assert run.of(Connect) == []
    assert any(str(path) in note for note in run.notes)
    assert everything.streams == [(b"x", b"x")]


def test_the_number_of_reads_and_writes_is_that_of_strace(socktrace: Socktrace, tmp_path: Path) -> None:
    source = """
def talk():
    s = connect()
    for n in range(50): s.send(b"x" * n or b"y"); exactly(s, n or 1)
for _ in range(4):
    if os.fork() == 0:
        threads = [threading.Thread(target=talk) for _ in range(3)]
        [t.start() for t in threads]; [t.join() for t in threads]; os._exit(0)
for _ in range(4): os.wait()
"""
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    log = tmp_path / "strace.log"
    path = tmp_path / "echo2.sock"
    with echo_server(path):
        strace = [needs.program("strace"), "-f", "-e", "trace=sendto,recvfrom", "-o", str(log)]
        subprocess.run([*strace, sys.executable, "-c", PRELUDE + source, str(path)], check=True, timeout=60)
    # by their ends: a call that the kernel restarts begins twice
    ended = re.compile(r" (?:<\.\.\. )?(?:sendto|recvfrom)(?:\(| resumed>).*= \d+$")
    done = [line for line in log.read_text().splitlines() if ended.search(line)]
    assert len(run.of(Data)) == len(done) == 4 * 3 * 50 * 2


def test_a_connection_that_was_inherited_from_before(socktrace: Socktrace, tmp_path: Path) -> None:
    """The shell opened it, and the command found it on a descriptor: shown from its next request on."""
    path = tmp_path / "echo.sock"
    opener = (
        "import os, socket, sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); os.dup2(s.fileno(), 9);"
        "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
    )
    client = "import os; os.write(9, b'GET /x HTTP/1.1\\r\\n\\r\\n'); os.read(9, 100)"
    recording = tmp_path / "run.jsonl"
    with echo_server(path):
        traced = ["-m", "tracer", "-q", "-w", str(recording), "--socket", str(path), sys.executable, "-c", client]
        argv = [sys.executable, "-c", opener, str(path), *traced]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    run = Run(done, recording)
    assert [(event.midway, event.fd) for event in run.of(Connect)] == [(True, 9)]
    assert run.streams == [(b"GET /x HTTP/1.1\r\n\r\n",) * 2]


def test_a_glob_names_sockets(socktrace: Socktrace, tmp_path: Path) -> None:
    path = tmp_path / "my-daemon-7.sock"
    source = f"import socket; s=socket.socket(socket.AF_UNIX); s.connect({str(path)!r}); s.send(b'x'); s.recv(1)"
    with echo_server(path):
        run = socktrace(sys.executable, "-c", source, options=("-q", "--socket", f"{tmp_path}/my-*.sock"))
    assert run.streams == [(b"x", b"x")]


def test_a_signals_sender_is_told_as_without_us(socktrace: Socktrace, tmp_path: Path) -> None:
    source = (
        "libc=ctypes.CDLL(None); seen=[]\n"
        "class Action(ctypes.Structure): _fields_=[('f',ctypes.c_void_p),('flags',ctypes.c_byte*200)]\n"
        "H=ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)\n"
        "h=H(lambda n,info,c: seen.append(ctypes.cast(info, ctypes.POINTER(ctypes.c_int))[4]))\n"
        "a=Action(); a.f=ctypes.cast(h, ctypes.c_void_p).value; ctypes.memset(ctypes.addressof(a)+8, 0, 200)\n"
        "ctypes.c_int.from_address(ctypes.addressof(a)+8+128).value=4\n"
        "assert libc.sigaction(10, ctypes.byref(a), None)==0\n"
        "p=os.fork()\n"
        "if p==0: os.kill(os.getppid(), 10); os._exit(0)\n"
        "os.waitpid(p,0); time.sleep(0.1); print(seen==[p])"
    )
    assert run_program(socktrace, tmp_path / "echo.sock", source).stdout == "True\n"


def test_a_socketpair_is_one_connection_when_every_socket_is_followed(socktrace: Socktrace) -> None:
    source = (
        "import os, socket; a,b=socket.socketpair()\n"
        "if os.fork()==0: b.sendall(b.recv(5)[::-1]); os._exit(0)\n"
        "a.sendall(b'hello'); print(a.recv(5)); os.wait()"
    )
    run = socktrace(sys.executable, "-c", source, options=("-q", "--all-sockets"))
    assert run.streams == [(b"hello", b"olleh")]
    assert run.of(Connect)[0].address == "(socketpair)"
