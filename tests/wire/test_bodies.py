"""Bodies: which view takes them, and what it keeps."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import sys
import tarfile
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tracer.wire.bodies import Body, BodyReader, settled


def read(data: bytes, media_type: str = "", coding: str = "", step: int = 1 << 30) -> Body:
    reader = BodyReader(media_type, coding)
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
    return reader.finish()


def archive(format: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as tar:
        for name, data in (("Dockerfile", b"FROM scratch\n"), ("src/" + "long" * 40 + ".txt", b"x" * 1500)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("bin/sh")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(link)
    return file.getvalue()


LINES = b"".join(json.dumps({"status": f"line {n}"}).encode() + b"\r\n" for n in range(3))
FRAMES = b"\x01\0\0\0\0\0\0\x03hi\n" + b"\x02\0\0\0\0\0\0\x04bad\n"

CASES: list[tuple[str, str, bytes, str]] = [
    ("json", "application/json", b'[{"Id":"a"}]\n', "json"),
    ("pretty json", "application/json", b'{\n  "a": 1\n}\n', "json"),
    ("json lines", "application/json", LINES, "jsonlines"),
    ("json sequence", "application/json-seq", b'\x1e{"a":1}\n\x1e{"a":2}\n', "jsonlines"),
    ("json without a name", "", b'{"a":1}', "json"),
    ("text", "text/plain; charset=utf-8", b"OK", "text"),
    ("text without a name", "", b"plain words\n", "text"),
    ("not json", "application/json", b"oops", "text"),
    ("tar", "application/x-tar", archive(), "tar"),
    ("gnu tar without a name", "", archive(tarfile.GNU_FORMAT), "tar"),
    ("compressed tar", "application/x-tar", gzip.compress(archive()), "tar"),
    ("multiplexed by name", "application/vnd.docker.multiplexed-stream", FRAMES, "multiplexed"),
    ("multiplexed by its looks", "", FRAMES, "multiplexed"),
    ("binary", "application/octet-stream", b"\xff\xfe\x00\x01", "binary"),
]


@pytest.mark.parametrize(("media_type", "data", "kind"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_kind_is_the_same_however_the_body_comes(media_type: str, data: bytes, kind: str) -> None:
    whole = read(data, media_type)
    assert whole.kind == kind
    assert whole.size == len(data)
    assert whole.sha256 == sha256(data).hexdigest()
    for step in (1, 2, 7, 100, 513):
        assert read(data, media_type, step=step) == whole


@pytest.mark.parametrize(
    ("compression", "packed"),
    [
        ("gzip", gzip.compress(archive())),
        ("bzip2", bz2.compress(archive())),
        ("xz", lzma.compress(archive())),
        ("zstd", zstandard.compress(archive())),
    ],
)
def test_a_compressed_archive_is_listed_and_its_compression_named(compression: str, packed: bytes) -> None:
    whole = read(packed, "application/x-tar")
    assert (whole.kind, whole.compression, whole.entries, whole.size) == ("tar", compression, 3, len(packed))
    for step in (1, 7, 600):
        assert read(packed, "application/x-tar", step=step) == whole


@pytest.mark.parametrize("compression", ["gzip", "bzip2", "xz", "zstd"])
def test_a_damaged_compressed_body_ends_where_the_damage_is(compression: str) -> None:
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "bzip2": bz2.compress,
        "xz": lzma.compress,
        "zstd": zstandard.compress,
    }
    packed = packers[compression](random.Random(7).randbytes(20000))
    damaged = packed[: len(packed) // 2] + b"\xff" * 500 + packed[len(packed) // 2 + 500 :]
    assert read(damaged, "application/octet-stream", step=100).compression == compression


def test_where_zstandard_is_missing_the_compression_is_named_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    body = read(zstandard.compress(archive()), "application/x-tar")
    assert (body.kind, body.compression) == ("binary", "zstd")


def test_a_terminals_output_and_frames_are_both_kept_until_somebody_knows() -> None:
    body = read(FRAMES, "application/octet-stream")
    assert (body.kind, body.guessed) == ("multiplexed", True)
    raw = settled(body, terminal=True)
    assert (raw.kind, raw.preview, raw.guessed) == ("raw", FRAMES.decode(), False)
    assert settled(body, terminal=False).preview == body.preview
    assert settled(raw, terminal=False) == raw, "what is settled stays so"


def test_an_empty_body_is_none() -> None:
    assert read(b"", "application/json").kind == "none"


def test_a_tar_lists_its_members_with_long_names() -> None:
    for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        body = read(archive(format))
        assert [(member["name"], member["size"], member["type"]) for member in body.preview] == [
            ("Dockerfile", 13, "file"),
            ("src/" + "long" * 40 + ".txt", 1500, "file"),
            ("bin/sh", 0, "symlink"),
        ]


def test_gzip_is_shown_decoded_and_counted_as_sent() -> None:
    packed = gzip.compress(b'{"a":1}')
    body = read(packed, "application/json", "gzip", step=3)
    assert (body.kind, body.preview, body.size) == ("json", {"a": 1}, len(packed))


def test_a_small_body_that_inflates_to_a_huge_one_costs_no_memory() -> None:
    bomb = gzip.compress(b"\0" * (200 << 20))
    body = read(bomb, "application/octet-stream", "gzip", step=1 << 16)
    assert body.cut


def test_frames_keep_their_stream_and_text() -> None:
    assert [(frame["stream"], frame["text"]) for frame in read(FRAMES).preview] == [
        ("stdout", "hi\n"),
        ("stderr", "bad\n"),
    ]


def test_endless_json_lines_keep_both_ends_only() -> None:
    reader = BodyReader("application/json")
    for number in range(5000):
        reader.feed(b'{"n":%d}\n' % number)
    body = reader.finish()
    assert (body.entries, body.cut) == (5000, True)
    assert (body.preview[0], body.preview[-1]) == ({"n": 0}, {"n": 4999})
    assert len(body.preview) <= 400


MEDIA_TYPES = ["", "application/json", "text/plain", "application/x-tar", "application/vnd.docker.multiplexed-stream"]


@given(st.binary(max_size=2000), st.sampled_from(MEDIA_TYPES), st.sampled_from(["", "gzip", "deflate"]))
def test_no_bytes_make_a_view_raise(data: bytes, media_type: str, coding: str) -> None:
    body = read(data, media_type, coding, step=97)
    assert body.size == len(data)
    json.dumps(body.preview)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_value_comes_back(value: Any) -> None:
    assert read(json.dumps(value).encode(), "application/json").preview == value
