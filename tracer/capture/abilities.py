"""What this machine lets a tracer do, found by trying it on a child process of our own."""

from __future__ import annotations

import os
import signal

from tracer.capture import arch, kernel, launch, seccomp
from tracer.capture.trace import refusal

YAMA = "/proc/sys/kernel/yama/ptrace_scope"
OLDEST = (5, 3)


def kernel_is_new_enough(release: str) -> bool:
    """Whether PTRACE_GET_SYSCALL_INFO is there (Linux 5.3), and a syscall table for the machine."""
    numbers = release.split("-")[0].split(".")[:2]
    version = tuple(int(number) for number in numbers if number.isdigit())
    return version >= OLDEST and arch.native() is not None


def why_no_ptrace() -> str | None:
    """Why a child process can't be traced, or None."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    try:
        kernel.seize(pid, exit_kill=True)
    except OSError as error:
        return refusal(error, pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return None


def why_no_filter() -> str | None:
    """Why a child process can't install the seccomp filter, or None."""
    native = arch.native()
    if native is None:
        return os.uname().machine
    code = seccomp.as_bytes(seccomp.program(native))
    pid = os.fork()
    if pid == 0:
        os._exit(launch.install_filter(code) or 0)
    _, status = os.waitpid(pid, 0)
    number = os.waitstatus_to_exitcode(status)
    return os.strerror(number) if number > 0 else None


def yama_scope() -> int | None:
    """0 to 3 (ptrace(2), /proc/sys/kernel/yama/ptrace_scope); None where Yama is not in the kernel."""
    try:
        with open(YAMA, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def in_container() -> bool:
    """Whether this process seems to be in a container: docker's and podman's marks, or a foreign init's cgroup."""
    if any(os.path.exists(path) for path in ("/.dockerenv", "/run/.containerenv")):
        return True
    try:
        with open("/proc/1/cgroup", encoding="utf-8", errors="replace") as file:
            return any(mark in file.read() for mark in ("docker", "kubepods", "containerd", "libpod"))
    except OSError:
        return False
