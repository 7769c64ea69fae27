"""Each export is opened by an independent program, which counts what we count."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from google.protobuf import json_format
from haralyzer import HarParser
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from fixtures.private_daemon import IMAGE, Daemon
from tests.exports.exported import NAMES, asked, exchanges, export, fixture
from tests.needs import need, program
from tests.runs import Socktrace
from tracer.events import End, Output
from tracer.recording.reader import read
from tracer.recording.writer import Writer
from tracer.views.exports import FORMATS
from tracer.views.json_lines import to_object


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["buildkit", "refused", "life", "sdk", "tls-refused"])
def test_every_format_takes_every_kind_of_recording(form: str, name: str) -> None:
    assert export(fixture(name), form)


# HAR


@pytest.mark.parametrize("name", NAMES)
def test_har_is_read_by_a_library(name: str) -> None:
    raw = json.loads(export(fixture(name), "har"))
    parser = HarParser(raw)
    entries = [entry for page in parser.pages for entry in page.entries] or raw["log"]["entries"]
    found = [entry["request"]["method"] for entry in raw["log"]["entries"]]
    assert len(entries) == len(asked(fixture(name)))
    assert found == [method for method, _ in asked(fixture(name))]


def test_har_has_bodies_and_times() -> None:
    entries = json.loads(export(fixture("run"), "har"))["log"]["entries"]
    create = entries[1]
    assert json.loads(create["request"]["postData"]["text"])["Image"] == "demo"
    assert create["request"]["queryString"] == [{"name": "name", "value": "greeter"}]
    assert json.loads(create["response"]["content"]["text"])["Id"]
    assert create["time"] == pytest.approx(sum(create["timings"].values()))
    assert create["startedDateTime"].endswith("+00:00")
    assert create["response"]["status"] == 201
    refused = json.loads(export(fixture("tls-refused"), "har"))
    assert refused["log"]["version"] == "1.2"


# pcapng


def tshark(file: Path, *options: str) -> list[list[str]]:
    done = subprocess.run(
        [program("tshark"), "-r", str(file), *options, "-T", "fields", "-E", "separator=/t"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line.split("\t") for line in done.stdout.splitlines()]


PACKETS = [
    "ps",
    "run",
    "exec",
    "images",
    "cp",
    "save",
    "version",
    "curl-create",
    "sdk",
    "logs-follow",
    "tls-13",
    "pull",
]


@pytest.mark.parametrize("name", PACKETS)
def test_tshark_decodes_the_same_requests_and_answers(name: str, tmp_path: Path) -> None:
    file = tmp_path / "x.pcapng"
    file.write_bytes(export(fixture(name), "pcapng"))
    requests = tshark(file, "-Y", "http.request", "-e", "http.request.method", "-e", "http.request.uri")
    assert sorted(map(tuple, requests)) == sorted(asked(fixture(name)))
    statuses = tshark(file, "-Y", "http.response", "-e", "http.response.code")
    answers = [
        one.response for one in exchanges(fixture(name)) if one.response and (one.response.complete or one.upgrade)
    ]
    ours = [str(answer.head.status) for answer in answers]
    assert sorted(code for (code,) in statuses) == sorted(ours)
    assert not tshark(file, "-Y", "tcp.analysis.flags && !tcp.analysis.keep_alive", "-e", "frame.number")
    wrong = tshark(
        file, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
        "-Y", "tcp.checksum.status == 0 || ip.checksum.status == 0", "-e", "frame.number",
    )  # fmt: skip
    assert not wrong


def test_the_processes_are_in_the_comments(tmp_path: Path) -> None:
    file = tmp_path / "x.pcapng"
    file.write_bytes(export(fixture("ps"), "pcapng"))
    comments = tshark(file, "-Y", "frame.comment", "-e", "frame.comment")
    assert re.fullmatch(r"docker pid \d+, fd 3 -> .*docker\.sock -> dockerd pid \d+", comments[0][0])
    assert any(comment.startswith("write fd 3, pid") for (comment,) in comments)


def test_tshark_opens_tls_with_the_secrets_inside(tmp_path: Path, socktrace: Socktrace, daemon: object) -> None:
    from fixtures.private_daemon import Daemon

    assert isinstance(daemon, Daemon)
    run = socktrace("docker", "ps", "-a", env=daemon.tls_environment, options=("-q", "--no-redact"))
    file = tmp_path / "x.pcapng"
    file.write_bytes(export(run.recording, "pcapng"))
    http = f"tls.port=={daemon.port},http"
    found = tshark(file, "-d", http, "-Y", "http.request", "-e", "http.request.method", "-e", "http.request.uri")
    assert list(map(tuple, found)) == asked(run.recording) != []


# Diagrams

CHECK = """
import { readFileSync } from 'node:fs';
import { JSDOM } from 'jsdom';
const dom = new JSDOM('');
globalThis.window = dom.window; globalThis.document = dom.window.document;
const { default: mermaid } = await import('mermaid');
for (const file of process.argv.slice(2)) {
    const text = readFileSync(file, 'utf8');
    await mermaid.parse(text);
    const diagram = await mermaid.mermaidAPI.getDiagramFromText(text);
    const between = diagram.db.getMessages().filter(one => one.from && one.to && one.from !== one.to && one.type !== 2);
    console.log(between.length);
}
"""


def test_mermaids_own_parser(tmp_path: Path) -> None:
    npm = program("npm")
    installed = subprocess.run(
        [npm, "install", "--silent", "--no-audit", "--no-fund", "mermaid@10", "jsdom@24"],
        cwd=tmp_path, capture_output=True, check=False, timeout=240,
    )  # fmt: skip
    need(installed.returncode == 0, "npm can't install mermaid")
    (tmp_path / "check.mjs").write_text(CHECK)
    files = []
    for name in NAMES:
        file = tmp_path / f"{name}.mmd"
        file.write_bytes(export(fixture(name), "mermaid"))
        files.append(str(file))
    done = subprocess.run(["node", "check.mjs", *files], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    counted = [int(line) for line in done.stdout.split()]
    assert counted == [2 * len(exchanges(fixture(name))) for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_is_well_formed_and_has_an_arrow_each_way(name: str) -> None:
    picture = ElementTree.fromstring(export(fixture(name), "svg"))
    arrows = [line for line in picture.iter("{http://www.w3.org/2000/svg}line") if line.get("marker-end")]
    assert len(arrows) == 2 * len(exchanges(fixture(name)))
    texts = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert all(len(text) <= 70 for text in texts)


# OTLP


def spans(raw: bytes) -> list[Span]:
    """Through the official protobuf package. OTLP's JSON has ids in hexadecimal, where protobuf's has base64."""
    text = re.sub(
        rb'"(traceId|spanId|parentSpanId)": "([0-9a-f]+)"',
        lambda found: b'"%s": "%s"' % (found[1], base64.b64encode(bytes.fromhex(found[2].decode()))),
        raw,
    )
    request = json_format.Parse(text, ExportTraceServiceRequest())
    return list(request.resource_spans[0].scope_spans[0].spans)


@pytest.mark.parametrize("name", ["run", "refused", "build-fails", "sdk"])
def test_spans_by_the_official_protobuf_package(name: str) -> None:
    found = spans(export(fixture(name), "otlp"))
    root, calls = found[0], found[1:]
    ours = exchanges(fixture(name))
    assert len(calls) == len(ours)
    assert {call.parent_span_id for call in calls} == {root.span_id}
    assert len({span.span_id for span in found}) == len(found)
    for span, exchange in zip(calls, ours, strict=True):
        facts = {fact.key: fact.value for fact in span.attributes}
        assert span.kind == Span.SPAN_KIND_CLIENT
        assert span.end_time_unix_nano >= span.start_time_unix_nano > 0
        assert facts["socktrace.exchange"].int_value == exchange.number
        if exchange.response:
            assert facts["http.response.status_code"].int_value == exchange.response.head.status
        failed = bool(exchange.failure) or (exchange.response is not None and exchange.response.head.status >= 400)
        assert (span.status.code == Status.STATUS_CODE_ERROR) == failed


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A receiver of OTLP over HTTP: its URL, and what it was sent."""
    got: list[tuple[str, bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_spans_are_sent_to_a_collector(collector: tuple[str, list[tuple[str, bytes]]], socktrace: Socktrace) -> None:
    url, got = collector
    assert export(fixture("run"), "otlp", "--otlp-endpoint", url) == b""
    assert [path for path, _ in got] == ["/v1/traces"]
    assert len(spans(got[0][1])) == 6
    refused = socktrace.plain(
        "export", str(fixture("run")), "-f", "otlp", "--otlp-endpoint", f"{url}/v1/other", env={"PATH": ""}
    )
    assert (refused.returncode, refused.stderr.count("\n")) == (120, 1)
    assert "the collector answered 404" in refused.stderr


# Text


@pytest.mark.parametrize("name", NAMES)
def test_the_report_has_a_row_for_each_exchange(name: str) -> None:
    report = export(fixture(name), "markdown").decode()
    rows = [line for line in report.splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) == len(exchanges(fixture(name)))
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 5 for row in rows)
    assert report.count("```") == 2


def test_the_report_says_what_failed() -> None:
    report = export(fixture("pull-missing"), "markdown").decode()
    assert "### What failed" in report


def test_the_array_is_that_of_json_lines() -> None:
    recording = fixture("life")
    assert json.loads(export(recording, "json")) == json.loads(json.dumps([to_object(e) for e in exchanges(recording)]))


@pytest.mark.parametrize("name", ["run", "exec", "images", "sdk", "buildkit", "events"])
def test_rules_allow_what_was_asked_and_nothing_else(name: str) -> None:
    rules = dict(
        line.split("=", 1) for line in export(fixture(name), "allowlist").decode().splitlines() if line[:1].isupper()
    )
    for method, target in asked(fixture(name)):
        (pattern,) = shlex.split(rules[f"SP_ALLOW_{method}"])
        assert re.fullmatch(pattern, target.partition("?")[0]), target
    for method, path in (("POST", "/v1.41/swarm/init"), ("DELETE", "/v1.41/volumes/x"), ("GET", "/v1.41/secrets")):
        (pattern,) = shlex.split(rules.get(f"SP_ALLOW_{method}", "''"))
        assert not re.fullmatch(pattern, path)


def test_rules_by_section() -> None:
    rules = export(fixture("exec"), "allowlist").decode()
    opened = {line.removesuffix("=1") for line in rules.splitlines() if line.endswith("=1")}
    assert {"CONTAINERS", "EXEC", "PING", "POST"} == opened
    only_reading = export(fixture("ps"), "allowlist").decode()
    assert "POST" not in only_reading


# asciicast


def film(cast: bytes) -> tuple[dict[str, object], list[tuple[float, str, str]]]:
    header, *lines = map(json.loads, cast.decode().splitlines())
    return header, [(t, kind, data) for t, kind, data in lines]


def played(cast: bytes, folder: Path) -> str:
    """What asciinema shows of it, without colours."""
    file = folder / "x.cast"
    file.write_bytes(cast)
    done = subprocess.run(
        [sys.executable, "-m", "asciinema", "cat", str(file)],
        capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    return re.sub(r"\x1b\[\d+m", "", done.stdout)


def test_a_film_has_the_output_and_the_calls_in_their_order(
    socktrace: Socktrace, daemon: Daemon, tmp_path: Path
) -> None:
    run = socktrace(
        "docker", "run", "--rm", "--network", "none", IMAGE, "echo", "hello film",
        options=("-q", "--prove"), env=daemon.environment,
    )  # fmt: skip
    cast = export(run.recording, "asciicast")
    shown = played(cast, tmp_path)
    order = ("$ docker run", "▶ 1  HEAD", "◀ 1  200", "/start", "hello film\n", "◀ 3  101")
    places = [shown.index(text) for text in order]
    assert places == sorted(places)
    assert "not recorded" not in shown
    _, lines = film(cast)
    assert [t for t, _, _ in lines] == sorted(t for t, _, _ in lines)
    assert len([kind for _, kind, _ in lines if kind == "m"]) == len(exchanges(run.recording)) == 5
    assert lines[-1][0] > 10 * 0.4, "each of five calls is held twice"


def test_a_film_without_output_says_so(tmp_path: Path) -> None:
    assert played(export(fixture("ps"), "asciicast"), tmp_path).endswith("socktrace --prove -w FILE does)\n")


def test_a_film_keeps_out_of_a_program_that_draws(tmp_path: Path) -> None:
    events = list(read(str(fixture("ps"))))
    writer = Writer(str(tmp_path / "drawn.jsonl"))
    for event in events:
        if isinstance(event, End):
            for data in ("\x1b[2J\x1b[Hall ế".encode()[:-1], "ế mine\n".encode()[-7:]):
                writer.write(Output(t=event.t, pid=1, tid=1, fd=1, size=len(data), payload=data))
        writer.write(event)
    writer.close()
    _, lines = film(export(tmp_path / "drawn.jsonl", "asciicast"))
    assert [data for _, kind, data in lines if kind == "m"] == ["HEAD /_ping", "GET /v1.41/containers/json?all=1"]
    assert not any("▶" in data for _, kind, data in lines if kind == "o")
    assert "\x1b[2J\x1b[Hall ế mine\r\n" in "".join(data for _, kind, data in lines if kind == "o")


def test_a_film_is_as_large_as_the_terminal_was() -> None:
    header, _ = film(export(fixture("run-terminal"), "asciicast"))
    resize = next(target for _, target in asked(fixture("run-terminal")) if "/resize" in target)
    assert f"h={header['height']}&w={header['width']}" in resize
