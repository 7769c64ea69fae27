"""`socktrace doctor`: what this machine lets us do, and which daemon docker would use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.doctor import Check
    from tracer.views.screen import Color


def examine(language: str, *, as_json: bool, color: Color) -> int:
    """`socktrace doctor`: what this machine lets us do and which daemon docker would use; 0 if all is well, else 1."""
    from tracer.views import examination
    from tracer.views.screen import Screen

    checks = [*_checks_of_machine(), *_checks_of_daemon()]
    screen = Screen(sys.stdout, color, at_once=True)
    if as_json:
        screen.write_line(examination.as_line(checks, language))
    else:
        for piece in examination.render(checks, screen.symbols, language):
            screen.show(piece)
    screen.close()
    return 1 if any(check.well is False for check in checks) else 0


def _checks_of_machine() -> Iterator[Check]:
    from tracer.capture import abilities
    from tracer.doctor import Check
    from tracer.words import Said

    machine = {"release": os.uname().release, "arch": os.uname().machine}
    new_enough = abilities.kernel_is_new_enough(os.uname().release)
    yield Check("kernel", new_enough, Said(f"doctor.kernel.{'yes' if new_enough else 'no'}", machine))
    why = abilities.why_no_ptrace()
    yield Check("ptrace", why is None, Said("doctor.ptrace.no" if why else "doctor.ptrace.yes", {"why": why}))
    why = abilities.why_no_filter()
    yield Check(
        "seccomp", None if why else True, Said("doctor.seccomp.no" if why else "doctor.seccomp.yes", {"why": why})
    )
    scope = abilities.yama_scope()
    level = "absent" if scope is None else ("free", "children", "admin", "nobody")[min(scope, 3)]
    yield Check("yama", False if scope == 3 else None, Said(f"doctor.yama.{level}", {"scope": scope}))
    place = "container" if abilities.in_container() else "host"
    yield Check("place", None, Said(f"doctor.place.{place}"))


def _checks_of_daemon() -> Iterator[Check]:
    from tracer import doctor
    from tracer.capture import peer, witness
    from tracer.engine import endpoint

    chosen = endpoint.find(["docker"], os.environ)
    found = doctor.reach(chosen, witness.file_at)
    who = file = None
    if found.connected is not None and found.address.startswith("/"):
        file = witness.file_at(found.address)
        fd = found.connected.fileno()
        who = peer.by_credentials(os.getpid(), fd)
        who = peer.PeerFinder().of_unix(os.fstat(fd).st_ino, os.getpid(), who.pid if who else None) or who
    yield from doctor.of_daemon(chosen, found, who, file)
    if found.connected is not None:
        found.connected.close()
