"""The catalogues: every text in every language, every text used, every placeholder filled."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from tracer.engine import diagnosis, flags, lesson
from tracer.engine.operations import table
from tracer.pipeline.lessons import lessons
from tracer.words import LANGUAGES, catalogue, language, say

TRACER = Path(__file__).parent.parent / "tracer"
SOURCE = "\n".join(path.read_text() for path in TRACER.rglob("*.py"))
ENGLISH = catalogue("en")
OTHERS = [code for code in LANGUAGES if code != "en"]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("code", OTHERS)
def test_nothing_is_left_untranslated(code: str) -> None:
    theirs = catalogue(code)
    operations = {f"operation.{operation.id}" for operation in table()}
    assert set(theirs) == set(ENGLISH) | operations
    same = [
        key for key in ENGLISH if theirs[key] == ENGLISH[key] and key not in ("proof.complete.note", "lesson.sent_as")
    ]
    assert [key for key in same if ENGLISH[key] not in ("{reason}", "docker {version}")] == []


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_has_the_same_placeholders(code: str) -> None:
    theirs = catalogue(code)
    different = {
        key: (ENGLISH[key], theirs[key]) for key in ENGLISH if placeholders(ENGLISH[key]) != placeholders(theirs[key])
    }
    assert different == {}


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_text_can_be_filled_in(code: str) -> None:
    for key, text in catalogue(code).items():
        values: dict[str, object] = dict.fromkeys(placeholders(text), 3)
        assert "{" not in say(code, key, **values)


def test_the_tables_and_the_catalogues_name_the_same() -> None:
    def below(prefix: str) -> set[str]:
        return {key.removeprefix(prefix) for key in ENGLISH if key.startswith(prefix)}

    assert below("flag.") == {flag.key for flag in flags.table()}
    assert below("command.") == {*flags.OPERATIONS, "other"}
    assert below("next.") == lesson.NEXT
    assert {name.split(".")[0] for name in below("lessons.") if "." in name} == set(lessons())
    rules = {*diagnosis.UNIX.values(), *diagnosis.INET.values(), *diagnosis.STATUSES.values()}
    rules |= {key for _, key in diagnosis.MESSAGES}
    assert rules <= below("diagnosis.")
    assert below("diagnosis.") - rules == {
        "connect_other", "no_connection", "tls_to_plain", "tls", "daemon_error", "late", "gone", "ssh", "unanswered",
        "tls_versions", "tls_alert", "tls_hung_up", "tls_server_expired", "tls_server_name", "tls_server_unknown",
        "tls_client_missing", "tls_client_expired", "tls_client_refused",
    }  # fmt: skip


@pytest.mark.parametrize(
    "key", [key for key in ENGLISH if key.split(".")[0] in ("proof", "where", "doctor", "point", "lesson")]
)
def test_every_text_is_used(key: str) -> None:
    last = key.rsplit(".", 1)[1]
    assert re.search(rf"[\"'.]{re.escape(last)}[\"'}}]|{re.escape(key)}", SOURCE), key


def test_every_word_of_the_report_is_on_its_page() -> None:
    exports = TRACER / "views" / "exports"
    page = (exports / "report.html").read_text() + (exports / "html.py").read_text()
    for key in (key.partition(".")[2] for key in ENGLISH if key.startswith("report.")):
        assert re.search(rf"(words\.|report\.|\"){key}\b", page), key


@pytest.mark.parametrize(
    ("wanted", "environment", "code"),
    [
        (None, {}, "en"),
        (None, {"LANG": "vi_VN.UTF-8"}, "vi"),
        (None, {"LANG": "vi_VN.UTF-8", "LC_ALL": "C"}, "en"),
        (None, {"LANG": "fr_FR.UTF-8"}, "en"),
        ("vi", {"LANG": "en_GB.UTF-8"}, "vi"),
    ],
)
def test_the_language_is_what_was_asked_for_or_what_the_locale_says(
    wanted: str | None, environment: dict[str, str], code: str
) -> None:
    assert language(wanted, environment) == code


def test_numbers_bring_their_nouns() -> None:
    assert "1 connection to" in say("en", "proof.connection.holds", count=1, address="x")
    assert "2 connections to" in say("en", "proof.connection.holds", count=2, address="x")
    assert "process 4123" in say("en", "proof.peer.listener", pid=4123)
