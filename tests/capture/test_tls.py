"""TLS of real clients, opened with their own secrets: the docker CLIs (a breakpoint), docker-py and curl (key logs)."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.certificates import HOSTS, Authority
from fixtures.inner_daemon import inner
from fixtures.private_daemon import IMAGE, Daemon, clis
from tests.needs import need, program
from tests.oracle import TlsProxy
from tests.runs import COMMAND, ROOT, Run, Socktrace
from tracer.capture import golang, traps
from tracer.events import Note, Tls, TlsSecret
from tracer.exchanges import Exchange, assemble, in_order
from tracer.views.json_lines import to_object
from tracer.wire.tls import opened

OPTIONS = ("-q",)
CHANGING = {"Date", "Host", "User-Agent", "Accept-Encoding"}
"""The docker CLI takes compressed answers over TCP only."""
BUNDLES = ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables with which a machine's owner may make clients trust others than the one they are told to."""


def exchanges(run: Run) -> list[Exchange]:
    return [item for item in in_order(assemble(run.events)) if isinstance(item, Exchange)]


def said(run: Run) -> list[Any]:
    """What went over the wire, without the road it took and what changes each time."""
    return [_timeless(to_object(exchange)) for exchange in exchanges(run)]


def _timeless(told: dict[str, Any]) -> dict[str, Any]:
    for name in ("pid", "endpoint", "timing", "tls", "stream"):
        told.pop(name)
    for message in (told["request"], told["response"]):
        message["headers"] = [pair for pair in message["headers"] if pair[0] not in CHANGING]
    return told


def tls_environment(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in BUNDLES}


COMMANDS: dict[str, list[str]] = {
    "ps": ["ps", "-a", "--filter", "name=exported", "--format", "{{.Names}}"],
    "image inspect": ["image", "inspect", IMAGE],
    "run": [
        "run",
        "--rm",
        "--network",
        "none",
        "--name",
        "secured",
        IMAGE,
        "sh",
        "-c",
        "echo out; echo err >&2; exit 3",
    ],
    "diff": ["diff", "exported"],
    "missing": ["container", "inspect", "nothing"],
}


@pytest.fixture(scope="module", autouse=True)
def exported(request: pytest.FixtureRequest) -> Iterator[None]:
    daemon: Daemon = request.getfixturevalue("daemon")
    daemon.docker("create", "--name", "exported", IMAGE, "true")
    yield
    daemon.docker("rm", "exported")


@pytest.mark.parametrize("cli", clis())
@pytest.mark.parametrize("name", COMMANDS)
def test_the_docker_cli_says_the_same_over_tls(name: str, cli: str, socktrace: Socktrace, daemon: Daemon) -> None:
    plain = socktrace(cli, *COMMANDS[name], env=daemon.environment, options=OPTIONS)
    secured = socktrace(cli, *COMMANDS[name], env=daemon.tls_environment, options=OPTIONS)
    assert (secured.stdout, secured.status) == (plain.stdout, plain.status)
    ids = [[told["path"].split("/")[-2:] for told in said(run)] for run in (plain, secured)]
    if name != "run":
        assert said(secured) == said(plain)
        assert ids[0] == ids[1]
    shapes = [[(told["method"], told["operation"], told["response"]["status"]) for told in said(run)] for run in
              (plain, secured)]  # fmt: skip
    assert sorted(shapes[0]) == sorted(shapes[1])
    assert {fact.version for fact in secured.of(Tls)} == {"1.3"}
    assert not [fact.problem for fact in secured.of(Tls) if fact.problem]


@pytest.fixture
def tls_proxy(daemon: Daemon) -> Iterator[TlsProxy]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = daemon.folder / "server"
    context.load_cert_chain(server / "cert.pem", server / "key.pem")
    proxy = TlsProxy(daemon.socket, context)
    yield proxy
    proxy.close()


SDK = """
import docker
client = docker.from_env()
container = client.containers.create("demo", ["echo", "hi"], network_mode="none")
assert len(b"".join(container.export())) > 1 << 20
container.remove()
print(client.version()["Version"], len(client.images.list()))
"""


def clients(daemon: Daemon, port: int) -> dict[str, list[str]]:
    """Command lines by name, for a daemon at this port."""
    keys = daemon.folder / "client"
    curl = ["curl", "-sS", "--cacert", f"{keys}/ca.pem", "--cert", f"{keys}/cert.pem", "--key", f"{keys}/key.pem"]
    url = f"https://127.0.0.1:{port}/version"
    found = {f"docker {path}": ["sh", "-c", f"{path} export exported > /dev/null"] for path in clis()}
    return {
        **found,
        "docker-py": [sys.executable, "-c", SDK],
        "curl 1.2": [*curl, "--tls-max", "1.2", url],
        "curl 1.3": [*curl, "--tlsv1.3", url],
        "curl chacha20": [*curl, "--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256", url],
        "curl 1.2 chacha20": [*curl, "--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305", url],
        "curl 1.2 256": [*curl, "--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384", url],
    }


NAMES = [*(f"docker {path}" for path in clis()), "docker-py", "curl 1.2", "curl 1.3", "curl chacha20",
         "curl 1.2 chacha20", "curl 1.2 256"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_byte_inside_is_that_of_the_oracle(
    name: str, socktrace: Socktrace, daemon: Daemon, tls_proxy: TlsProxy
) -> None:
    argv = clients(daemon, tls_proxy.port)[name]
    program(argv[0])
    environment = tls_environment({**daemon.tls_environment, "DOCKER_HOST": f"tcp://127.0.0.1:{tls_proxy.port}"})
    run = socktrace(*argv, env=environment, options=OPTIONS)
    tls_proxy.close()
    assert run.status == 0, run.stderr
    assert run.streams
    assert sorted(run.streams) == sorted(passed.both for passed in tls_proxy.connections)
    facts = run.of(Tls)
    assert {fact.version for fact in facts} == {"1.2" if "1.2" in name else "1.3"}
    assert ("CHACHA20" in facts[0].cipher) == ("chacha20" in name)


def test_a_recording_without_redaction_keeps_the_records_and_the_secrets(socktrace: Socktrace, daemon: Daemon) -> None:
    run = socktrace("docker", "ps", "-a", env=daemon.tls_environment, options=("-q", "--no-redact"))
    assert not run.of(Tls)
    assert {secret.conn for secret in run.of(TlsSecret)} == {1}
    assert run.streams[0][0][:2] == b"\x16\x03"
    assert said(run)[0]["path"] == "/_ping"
    masked = socktrace("docker", "ps", "-a", env=daemon.tls_environment, options=("-q",))
    assert not masked.of(TlsSecret)
    assert masked.streams[0][0].startswith(b"HEAD /_ping")


def test_the_command_keeps_its_output_and_status(socktrace: Socktrace, daemon: Daemon) -> None:
    argv = ["docker", "version"]
    alone = subprocess.run(argv, env=daemon.tls_environment, capture_output=True, text=True, check=False)
    run = socktrace(*argv, env=daemon.tls_environment)
    assert (run.stdout, run.stderr, run.status) == (alone.stdout, alone.stderr, alone.returncode)


def test_the_proof_over_tls(socktrace: Socktrace, daemon: Daemon) -> None:
    """All holds but that nothing went over a network; the peer is found, since it is on this machine."""
    run = socktrace("docker", "ps", "-a", "-q", env=daemon.tls_environment, options=("-q", "--prove"))
    told = " ".join(run.stderr.split())
    assert "✗ Something went, or may have gone, over a network." in told
    assert told.count("✗") == 1
    assert "At the other end is dockerd" in told
    assert "came out of TLS 1.3 records" in told
    assert run.status == 121


def test_a_program_that_is_running_already(socktrace: Socktrace, daemon: Daemon, tmp_path: Path) -> None:
    """The breakpoint is taken out again: the CLI goes on to make a session after we have let go."""
    cli = program("docker")
    recording = tmp_path / "attached.jsonl"
    go = tmp_path / "go"
    os.mkfifo(go)
    script = f"read x < {go}; exec {cli} events --until 1s"
    client = subprocess.Popen(["sh", "-c", script], env=daemon.tls_environment, stdout=subprocess.DEVNULL)
    tracer = subprocess.Popen(
        [*COMMAND, "-q", "-p", str(client.pid), "-w", str(recording)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_HOST": daemon.tls_environment["DOCKER_HOST"]},
    )
    while not recording.exists() or not recording.stat().st_size:
        threading.Event().wait(0.05)
    go.write_text("x\n")
    assert client.wait(20) == 0
    assert tracer.wait(20) == 0
    run = Run(subprocess.CompletedProcess([], 0, "", ""), recording)
    assert "SystemEvents" in [told["operation"] for told in said(run)]


TRUST = {
    "unknown": "The client does not trust the daemon's certificate (CN=the daemon, issued by CN=another CA)",
    "expired": "The daemon's certificate (CN=the daemon) expired on",
    "name": "The daemon's certificate is for elsewhere.example, and the client asked for 127.0.0.1",
    "none": "The daemon wants a certificate of the client, and got none",
    "stranger": "The daemon does not accept the client's certificate (CN=a stranger, issued by CN=another CA)",
}


@pytest.mark.parametrize("trouble", TRUST)
@pytest.mark.parametrize("client", ["docker", "curl"])
def test_certificate_trouble_is_explained(
    trouble: str, client: str, socktrace: Socktrace, daemon: Daemon, tmp_path: Path
) -> None:
    program(client)
    keys, port = daemon.folder / "client", daemon.port
    server = None
    if trouble in ("unknown", "expired", "name"):
        authority = Authority("another CA") if trouble == "unknown" else daemon.authority
        hosts = ("elsewhere.example",) if trouble == "name" else HOSTS
        files = authority.write(tmp_path / "server", "the daemon", hosts=hosts, days=-1 if trouble == "expired" else 30)
        server = refusing(files)
        port = server.getsockname()[1]
    elif trouble == "stranger":
        keys = Authority("another CA").write(tmp_path / "client", "a stranger")
        shutil.copy(daemon.folder / "client" / "ca.pem", keys)
    environment = tls_environment({**daemon.tls_environment, "DOCKER_HOST": f"tcp://127.0.0.1:{port}"})
    owner = [] if trouble == "none" else ["--cert", f"{keys}/cert.pem", "--key", f"{keys}/key.pem"]
    curl = ["curl", "-sS", "--cacert", f"{keys}/ca.pem", *owner, f"https://127.0.0.1:{port}/info"]
    words = ["--tlskey", f"{keys}/key.pem", "--tlscert", f"{keys}/cert.pem"] if owner else ["--tlscert=", "--tlskey="]
    docker = ["docker", "--tlsverify", "--tlscacert", f"{keys}/ca.pem", *words, "info"]
    run = socktrace(*(docker if client == "docker" else curl), env=environment, options=())
    if server is not None:
        server.close()
    assert run.status != 0
    if (trouble, client) == ("stranger", "docker"):
        trouble = "none"  # Go sends no certificate that the server has not said to accept
    assert TRUST[trouble] in " ".join(run.stderr.split()), run.stderr


def refusing(files: Path) -> socket.socket:
    """A port that does TLS handshakes with these certificates, and ends what comes of them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "cert.pem", files / "key.pem")
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
                context.wrap_socket(client, server_side=True).close()
            except ssl.SSLError:
                continue
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    return server


UNREADABLE = """
import socket, ssl
context = ssl.create_default_context(cafile={ca!r})
context.keylog_filename = None
with socket.create_connection(("127.0.0.1", {port})) as plain:
    context.load_cert_chain({cert!r}, {key!r})
    with context.wrap_socket(plain, server_hostname="localhost") as client:
        client.sendall(b"GET /_ping HTTP/1.0\\r\\n\\r\\n")
        while client.recv(1000):
            pass
"""


def test_what_cannot_be_read_is_said_with_what_the_handshake_shows(socktrace: Socktrace, daemon: Daemon) -> None:
    keys = daemon.folder / "client"
    code = UNREADABLE.format(port=daemon.port, ca=f"{keys}/ca.pem", cert=f"{keys}/cert.pem", key=f"{keys}/key.pem")
    run = socktrace(sys.executable, "-c", code, env=daemon.tls_environment, options=())
    told = " ".join(run.stderr.split())
    assert "TLS that can't be read: the secrets of this session are not known" in told
    assert "TLS 1.3, TLS_AES_256_GCM_SHA384" in told or "TLS 1.3, TLS_AES_128_GCM_SHA256" in told
    assert "for localhost" in told
    (exchange,) = exchanges(run)
    assert sum(call.size for call in exchange.calls) > 1000


def test_a_key_log_of_the_users_own_is_read_and_kept(socktrace: Socktrace, daemon: Daemon, tmp_path: Path) -> None:
    program("curl")
    log = tmp_path / "keys.log"
    log.write_text("# before\n")
    argv = clients(daemon, daemon.port)["curl 1.3"]
    run = socktrace(*argv, env=tls_environment({**daemon.tls_environment, "SSLKEYLOGFILE": str(log)}), options=OPTIONS)
    assert [told["path"] for told in said(run)] == ["/version"]
    assert "CLIENT_TRAFFIC_SECRET_0" in log.read_text()


def test_no_key_log_is_offered_where_no_tls_is_to_be_expected(socktrace: Socktrace, daemon: Daemon) -> None:
    assert socktrace("env", env=daemon.environment).stdout.count("SSLKEYLOGFILE") == 0
    assert socktrace("env", env=daemon.tls_environment).stdout.count("SSLKEYLOGFILE=/proc/") == 1


def test_functions_are_found_where_the_symbol_table_has_them() -> None:
    """The static CLI has symbols: nm(1) is the oracle."""
    named = [path for path in clis() if b"writeKeyLog" in symbols(path)]
    need(bool(named) and shutil.which("nm") is not None, "no docker CLI with symbols, or no nm")
    lines = symbols(named[0]).decode().splitlines()
    address = next(int(line.split()[0], 16) for line in lines if line.endswith(f" {traps.FUNCTION}"))
    base = next(int(line.split()[0], 16) for line in lines if line.endswith(" runtime.text"))
    found = golang.find(named[0], traps.FUNCTION)
    assert found is not None
    assert base + found.entry == address
    assert golang.find(sys.executable, traps.FUNCTION) is None
    assert golang.find("/etc/passwd", traps.FUNCTION) is None


def symbols(path: str) -> bytes:
    return subprocess.run(["nm", path], capture_output=True, check=False).stdout if shutil.which("nm") else b""


def test_notes_are_made_of_programs_that_begin_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    from tracer.capture.secrets import Secrets
    from tracer.capture.tracees import Process
    from tracer.events import Event

    monkeypatch.setattr(traps, "plant", lambda pid: "its TLS code begins in an unknown way")
    events: list[Event] = []
    Secrets(events, lambda: 0.0).connected(Process(7, every=False, narrow=False))
    assert events == [
        Note(t=0.0, message="the TLS secrets of process 7 can't be read: its TLS code begins in an unknown way")
    ]


def test_opening_what_was_opened_changes_nothing(socktrace: Socktrace, daemon: Daemon) -> None:
    run = socktrace("docker", "ps", "-a", env=daemon.tls_environment, options=("-q",))
    assert list(opened(run.events)) == run.events


def test_docker_in_docker(socktrace: Socktrace, daemon: Daemon) -> None:
    """A dockerd in a container, over TLS: the proof says where it lives."""
    need(os.path.exists("/usr/sbin/dockerd"), "no dockerd in /usr/sbin")
    with inner(daemon) as environment:
        run = socktrace("docker", "ps", "-a", env=environment, options=("-q", "--prove"))
        assert "it is a daemon in a container (docker-in-docker)" in " ".join(run.stderr.split())
        assert [told["path"] for told in said(run)] == ["/_ping", "/containers/json"]
        (fact,) = {fact.server_name for fact in run.of(Tls)}
        assert fact == "localhost"


@pytest.mark.parametrize(
    ("code", "size"),
    [("493b66107612", 4), ("4c8d6424d84d3b", 5), ("4c8da42478ffffff", 8)],
    ids=["a small frame", "a larger frame", "a large frame"],
)
def test_the_first_instruction_is_copied_with_a_jump_behind_it(code: str, size: int) -> None:
    """Prologues of Go's compiler for x86_64."""
    original = bytes.fromhex(code).ljust(traps.CODE_SIZE, b"\x90")
    copied = traps._copy_x86(original, 0x593520, 0x464FE0)
    assert copied is not None
    assert copied[:size] == original[:size]
    assert copied[size] == 0xE9
    assert 0x464FE0 + size + 5 + int.from_bytes(copied[size + 1 :], "little", signed=True) == 0x593520 + size


def test_the_same_for_aarch64() -> None:
    """ldr x16, [x28, #16], as Go 1.19 makes it, then a branch back."""
    original = bytes.fromhex("900b40f9f14300d13f0210eba9100054")
    copied = traps._copy_aarch64(original, 0x1694B0, 0x738A0)
    assert copied is not None
    assert copied[:4] == original[:4]
    branch = int.from_bytes(copied[4:], "little")
    assert branch >> 26 == 0b000101
    offset = (branch & 0x3FFFFFF) - (1 << 26 if branch & 0x2000000 else 0)
    assert 0x738A0 + 4 + 4 * offset == 0x1694B0 + 4


@pytest.mark.parametrize("copy", [traps._copy_x86, traps._copy_aarch64])
def test_other_beginnings_are_left_alone(copy: Any) -> None:
    assert copy(b"\x55\x48\x89\xe5".ljust(16, b"\x90"), 0x1000, 0x2000) is None
