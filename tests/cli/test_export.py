"""`socktrace export`: where its output goes, and what can go wrong with it."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

from fixtures.private_daemon import Daemon
from tests.runs import Socktrace

FIXTURES = Path(__file__).parents[2] / "fixtures"
PS = FIXTURES / "ps.jsonl"


def test_a_file_is_there_whole_or_not_at_all(socktrace: Socktrace, tmp_path: Path) -> None:
    done = socktrace.plain("export", str(PS), "-f", "har", "-o", str(tmp_path / "ps.har"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["ps.har"]
    failed = socktrace.plain("export", str(PS), "-f", "har", "-o", str(tmp_path / "none" / "ps.har"))
    assert failed.returncode == 120
    assert failed.stderr.count("\n") == 1
    assert "No such file or directory" in failed.stderr


def test_a_full_disk(socktrace: Socktrace) -> None:
    done = socktrace.plain("export", str(PS), "-f", "har", "-o", "/dev/full/x")
    assert (done.returncode, done.stderr.count("\n")) == (120, 1)


def test_a_damaged_recording_is_exported_as_far_as_it_goes(socktrace: Socktrace, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_bytes(PS.read_bytes()[:-20])
    done = socktrace.plain("export", str(damaged), "-f", "json")
    assert done.returncode == 1
    assert '"HEAD"' in done.stdout
    assert done.stderr.count("\n") == 1


def test_what_is_no_recording(socktrace: Socktrace, tmp_path: Path) -> None:
    done = socktrace.plain("export", str(tmp_path / "none"), "-f", "json")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_wrong_options(socktrace: Socktrace) -> None:
    unknown = socktrace.plain("export", str(PS), "-f", "gif")
    assert unknown.returncode == 2
    assert "har" in unknown.stderr
    assert socktrace.plain("export", str(PS), "-f", "har", "--otlp-endpoint", "http://x").returncode == 2
    told = socktrace.plain("export", "--help").stdout
    assert "pcapng     packets, for Wireshark and tshark" in told


def test_a_report_of_a_run(socktrace: Socktrace, daemon: Daemon, tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    done = socktrace.plain("-q", "--prove", "--html", str(page), "docker", "ps", env=daemon.environment)
    assert done.returncode == 0
    assert done.stdout.startswith("CONTAINER ID")
    text = page.read_text()
    assert '"title":"docker ps"' in text
    assert "dockerd" in text
    assert "The verdict" in text
    assert '"proof":"' in text
    refused = socktrace.plain("--html", str(tmp_path / "none" / "x.html"), "docker", "ps", env=daemon.environment)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (120, "", 1)


def test_a_pipe_is_written_to_and_not_replaced(socktrace: Socktrace, tmp_path: Path) -> None:
    """Nor is a device: -o /dev/null, given by root, must leave it what it is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        done = socktrace.plain("export", str(PS), "-f", "json", "-o", str(pipe))
        assert reader.stdout is not None
        assert reader.stdout.read() == socktrace.plain("export", str(PS), "-f", "json").stdout.encode()
    assert (done.returncode, done.stderr) == (0, "")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_link_is_followed(socktrace: Socktrace, tmp_path: Path) -> None:
    link = tmp_path / "link.har"
    link.symlink_to("real.har")
    assert socktrace.plain("export", str(PS), "-f", "har", "-o", str(link)).returncode == 0
    assert link.is_symlink()
    assert (tmp_path / "real.har").stat().st_size > 1000


def test_the_verdict_in_a_report_over_tls_is_that_of_prove(
    socktrace: Socktrace, daemon: Daemon, tmp_path: Path
) -> None:
    """Also where the recording holds the records and the secrets, and not what is inside."""
    page = tmp_path / "run.html"
    options = ("--no-redact", "--prove", "--html", str(page))
    done = socktrace.plain(*options, "docker", "ps", "-q", env=daemon.tls_environment)
    claims = [line.split(maxsplit=1)[1] for line in done.stderr.splitlines() if line.startswith((" ✓ ", " ✗ "))]
    assert len(claims) == 6  # it printed nothing, so nothing is said of where that came from
    shown = page.read_text()
    assert [claim for claim in claims if claim[:60] not in shown] == []
    assert "HTTP exchanges, every byte accounted for" in shown
    assert "came out of TLS 1.3 records" in " ".join(shown.replace("\\n", " ").split())
