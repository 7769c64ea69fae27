"""One key from the terminal, for --step."""

from __future__ import annotations

import os
import termios
import tty


def go_on() -> bool:
    """Wait for a key on the controlling terminal; False for q, Ctrl-C, Ctrl-D. Without a terminal nothing waits."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return True
    try:
        before = termios.tcgetattr(terminal)
        tty.setcbreak(terminal, termios.TCSANOW)  # a key that was typed before is not thrown away
        try:
            key = os.read(terminal, 1)
            if key == b"\x1b":  # an arrow or function key sends more
                key += os.read(terminal, 16)
        finally:
            termios.tcsetattr(terminal, termios.TCSANOW, before)
    except (OSError, termios.error):
        return True
    except KeyboardInterrupt:
        return False
    finally:
        os.close(terminal)
    return key[:1] not in (b"q", b"Q", b"\x03", b"\x04", b"")
