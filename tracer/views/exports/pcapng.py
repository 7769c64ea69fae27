"""Packets for Wireshark and tshark: each connection as a TCP stream made up around the bytes that were moved.

PCAP Next Generation (draft-ietf-opsawg-pcapng): a section header, one interface of raw IP packets, the TLS secrets
if the recording has them (a decryption secrets block), then the packets, with the processes in comments. A Unix
socket has no addresses: 127.0.0.1 stands for the client, 127.0.0.2 for the daemon, with Docker's port 2375.
"""

from __future__ import annotations

import array
import datetime
import ipaddress
import struct
import sys
from collections.abc import Iterator, Sequence

from tracer import __version__
from tracer.events import Close, Connect, Data, Event, Header, TlsSecret
from tracer.views.exports import Recorded

SECTION, INTERFACE, PACKET, SECRETS = 0x0A0D0D0A, 1, 6, 10
BYTE_ORDER = 0x1A2B3C4D
LINK_RAW_IP = 101
TLS_KEY_LOG = 0x544C534B
END_OF_OPTIONS, COMMENT, USER_APPLICATION, NAME, PRECISION = 0, 1, 4, 2, 9
MICROSECONDS = 6

FIN, SYN, PUSH, ACK = 0x01, 0x02, 0x08, 0x10
TCP = 6
MOST = 65_535 - 40 - 20
"""Bytes of a segment, so that the length of an IPv6 packet is still 16 bits."""
FIRST_PORT, PORTS = 32_768, 28_000
DOCKER_PORT = 2375


def export(recorded: Recorded) -> Iterator[bytes]:
    """The capture file, block by block."""
    header = recorded.header
    about = [(COMMENT, " ".join(header.argv)), (USER_APPLICATION, f"socktrace {__version__}")]
    yield _block(SECTION, struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1) + _options(about))
    described = _options([(NAME, header.endpoint or "docker"), (PRECISION, MICROSECONDS)])
    yield _block(INTERFACE, struct.pack("<HHI", LINK_RAW_IP, 0, 0) + described)
    secrets = "".join(f"{event.line}\n" for event in recorded.events() if isinstance(event, TlsSecret)).encode()
    if secrets:
        yield _block(SECRETS, struct.pack("<II", TLS_KEY_LOG, len(secrets)) + _padded(secrets))
    yield from _packets(recorded.events(), header)


def _packets(events: Iterator[Event], header: Header) -> Iterator[bytes]:
    began = int(datetime.datetime.fromisoformat(header.started).timestamp() * 1_000_000)
    streams: dict[int, _Stream] = {}
    for event in events:
        if isinstance(event, Connect) and event.error is None:
            stream = streams[event.conn] = _Stream(event, began)
            yield from stream.opened(event)
        elif isinstance(event, Data) and event.conn in streams:
            yield from streams[event.conn].moved(event)
        elif isinstance(event, Close) and event.conn in streams:
            yield from streams.pop(event.conn).closed(event.t)


class _Stream:
    """One connection: what each side has sent decides the numbers of its next segment."""

    def __init__(self, connect: Connect, began: int) -> None:
        self._began = began
        client = FIRST_PORT + connect.conn % PORTS
        host, port = _server(connect)
        ours = ipaddress.ip_address("::1" if host.version == 6 else "127.0.0.1")
        self._ends = {"out": (ours, client), "in": (host, port)}
        self._next = {"out": 0, "in": 0}
        self._half_closed: set[str] = set()

    def opened(self, connect: Connect) -> Iterator[bytes]:
        """The three packets of a handshake; the first says who talks to whom."""
        peer = connect.peer
        other = f"{peer.comm or 'process'} pid {peer.pid}" if peer else "unknown process"
        who = f"{connect.comm or 'process'} pid {connect.pid}, fd {connect.fd} -> {connect.address} -> {other}"
        yield self._segment("out", connect.t, SYN, comment=who)
        yield self._segment("in", connect.t, SYN | ACK)
        yield self._segment("out", connect.t, ACK)

    def moved(self, data: Data) -> Iterator[bytes]:
        """The bytes of a syscall; those that were counted only are zeros. No bytes are the end of the stream."""
        if data.size == 0:
            if data.dir not in self._half_closed:
                self._half_closed.add(data.dir)
                yield self._segment(data.dir, data.t, FIN | ACK)
            return
        comment = f"{data.syscall} fd {data.fd}, pid {data.pid}, thread {data.tid}"
        left = data.size
        while left:
            size = min(left, MOST)
            at = data.size - left
            piece = bytes(size) if data.payload is None else data.payload[at : at + size]
            yield self._segment(data.dir, data.t, PUSH | ACK, piece, comment)
            left -= size
            comment = ""

    def closed(self, t: float) -> Iterator[bytes]:
        """Both sides end."""
        for direction in ("out", "in"):
            if direction not in self._half_closed:
                yield self._segment(direction, t, FIN | ACK)

    def _segment(self, direction: str, t: float, flags: int, data: bytes = b"", comment: str = "") -> bytes:
        other = "in" if direction == "out" else "out"
        (source, source_port), (target, target_port) = self._ends[direction], self._ends[other]
        answered = self._next[other] if flags & ACK else 0
        number = self._next[direction] & 0xFFFFFFFF
        self._next[direction] += len(data) + bool(flags & (SYN | FIN))
        head = struct.pack(
            "!HHIIBBHHH", source_port, target_port, number, answered & 0xFFFFFFFF, 5 << 4, flags, 0xFFFF, 0, 0
        )
        length = len(head) + len(data)
        pseudo = source.packed + target.packed + struct.pack("!II", length, TCP)
        tcp = head[:16] + struct.pack("!H", _checksum(pseudo + head + data)) + head[18:] + data
        packet = _ip(source, target, tcp)
        when = self._began + int(t * 1_000_000)
        size = len(packet)
        body = struct.pack("<IIIII", 0, when >> 32, when & 0xFFFFFFFF, size, size) + _padded(packet)
        return _block(PACKET, body + (_options([(COMMENT, comment)]) if comment else b""))


Host = ipaddress.IPv4Address | ipaddress.IPv6Address


def _server(connect: Connect) -> tuple[Host, int]:
    """The daemon's address, or what stands for it."""
    if connect.family.startswith("inet"):
        host, _, port = connect.address.rpartition(":")
        return ipaddress.ip_address(host.strip("[]")), int(port)
    return ipaddress.ip_address("127.0.0.2"), DOCKER_PORT


def _ip(source: Host, target: Host, payload: bytes) -> bytes:
    """RFC 791, RFC 8200."""
    if source.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), TCP, 64) + source.packed + target.packed + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, TCP, 0) + source.packed + target.packed
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + payload


def _checksum(data: bytes) -> int:
    """RFC 1071: the complement of the one's complement sum of the 16-bit words."""
    words = array.array("H", data + b"\0" if len(data) % 2 else data)
    if sys.byteorder == "little":
        words.byteswap()
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _options(pairs: Sequence[tuple[int, str | int]]) -> bytes:
    made = b""
    for code, value in pairs:
        raw = bytes([value]) if isinstance(value, int) else value.encode()[:65_000]
        made += struct.pack("<HH", code, len(raw)) + _padded(raw)
    return made + struct.pack("<HH", END_OF_OPTIONS, 0)


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)
