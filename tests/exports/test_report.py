"""The report in a real browser: opened, clicked, searched, filtered, and fed with what would harm it."""

from __future__ import annotations

import html
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import msgspec.structs
import pytest

from benchmarks.recordings import many
from tests.exports.exported import NAMES, exchanges, export, fixture
from tests.needs import program
from tracer.events import Data
from tracer.recording.reader import read
from tracer.recording.writer import Writer

REPORT = Path(__file__).parents[2] / "tracer" / "views" / "exports" / "report.html"


def in_browser(recording: Path, folder: Path, steps: str, *options: str) -> Any:
    """Open the report, run JavaScript that sets `result`, and give that back."""
    page = folder / "report.html"
    script = f"""<script>
        const rows = () => [...document.querySelectorAll('.row')];
        const shown = () => rows().filter(row => !row.parentElement.hidden).map(row => row.children[1].textContent);
        const press = key => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{key, bubbles: true}}));
        const choose = (id, value) => {{ $(id).value = value; $(id).dispatchEvent(new Event('change')); }};
        const search = text => {{ $('search').value = text; filter(); }};
        let result = null;
        {steps}
        document.body.dataset.result = JSON.stringify(result);
    </script>"""
    page.write_bytes(export(recording, "html", *options) + script.encode())
    done = subprocess.run(
        [program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000",
         f"--user-data-dir={folder}/profile", "--dump-dom", f"file://{page}"],
        capture_output=True, text=True, check=True, timeout=100,
    )  # fmt: skip
    found = re.search(r'<body[^>]* data-result="([^"]*)"', done.stdout)
    assert found, "the page's script did not run to its end"
    return json.loads(html.unescape(found[1]))


def test_in_vietnamese(tmp_path: Path) -> None:
    steps = """
        rows()[1].click();
        const text = ['header', 'main'].map(name => document.querySelector(name).textContent).join();
        result = {lang: document.documentElement.lang, count: $('count').textContent, text,
            hint: $('search').placeholder, name: $('list').getAttribute('aria-label')};
    """
    told = in_browser(fixture("run"), tmp_path, steps, "--lang", "vi")
    assert (told["lang"], told["count"]) == ("vi", "5 cặp yêu cầu và trả lời")
    assert told["hint"].startswith("Tìm trong yêu cầu")
    assert told["name"] == "Các cặp yêu cầu và trả lời"
    for text in ("trên 3 kết nối", "mã kết thúc 0", "Giải thích lần chạy này", "Tạo một container từ image", "Yêu cầu"):
        assert text in told["text"], text
    assert "undefined" not in told["text"]


def test_a_click_opens_an_exchange_and_a_second_one_closes_it(tmp_path: Path) -> None:
    steps = """
        rows()[1].click();
        const opened = document.querySelector('.more');
        result = {text: opened.textContent, open: rows()[1].getAttribute('aria-expanded')};
        opened.querySelectorAll('.tree details')[1].open = true;
        rows()[1].click();
        result.closed = [rows()[1].getAttribute('aria-expanded'), document.querySelectorAll('.more').length];
        result.count = $('count').textContent;
        result.title = document.title;
    """
    told = in_browser(fixture("run"), tmp_path, steps)
    assert told["open"] == "true"
    for part in ("Makes a container from an image", 'Image: "demo"', "Content-Length: 1469", "write fd"):
        assert part in told["text"]
    assert told["closed"] == ["false", 0]
    assert told["count"] == "5 exchanges"
    assert told["title"].startswith("docker run")


def test_search_filters_and_keys(tmp_path: Path) -> None:
    steps = """
        choose('method', 'HEAD'); const heads = shown();
        choose('method', ''); choose('status', 'bad'); const bad = shown().length, none = $('none').hidden;
        choose('status', ''); search('containerconfig OR nothing'); const nothing = $('none').hidden;
        search('greeter autoremove'); const found = shown(); const said = $('count').textContent;
        press('Escape'); const all = shown().length;
        press('j'); const first = rows().indexOf(document.activeElement);
        press('j'); press('ArrowDown'); press('k'); const second = rows().indexOf(document.activeElement);
        press('/'); const typing = document.activeElement.id;
        $('theme').click(); const theme = document.documentElement.dataset.theme;
        result = {heads, bad, none, nothing, found, said, all, first, second, typing, theme};
    """
    assert in_browser(fixture("run"), tmp_path, steps) == {
        "heads": ["HEAD"],
        "bad": 0,
        "none": False,
        "nothing": False,
        "found": ["POST"],
        "said": "1 of 5",
        "all": 5,
        "first": 0,
        "second": 1,
        "typing": "search",
        "theme": "dark",
    }


def test_the_waterfall_is_in_proportion(tmp_path: Path) -> None:
    steps = "result = rows().map(row => [...row.querySelectorAll('i')].map(bar => [bar.style.left, bar.style.width]));"
    bars = in_browser(fixture("run"), tmp_path, steps)
    lefts = [float(bar[0][0].rstrip("%")) for bar in bars]
    assert lefts == sorted(lefts)
    assert all(0 <= float(left.rstrip("%")) <= 100 for row in bars for left, _ in row)


def test_what_was_recorded_can_do_nothing_to_the_page(tmp_path: Path) -> None:
    evil = b"<img src=x onerror=document.title='owned'></script><script>document.title='owned'</script>"
    recording = tmp_path / "evil.jsonl"
    writer = Writer(str(recording))
    for event in read(str(fixture("ps"))):
        if isinstance(event, Data) and event.payload and event.payload.startswith(b"GET "):
            payload = event.payload.replace(b"Docker-Client", evil)
            event = msgspec.structs.replace(event, payload=payload, size=len(payload))
        writer.write(event)
    writer.close()
    steps = """
        rows().forEach(row => row.click());
        const shown_as_text = document.body.textContent.includes('onerror=');
        result = {title: document.title, images: document.images.length, shown: shown_as_text};
    """
    told = in_browser(recording, tmp_path, steps)
    assert told == {"title": "docker ps -a · socktrace", "images": 0, "shown": True}


def test_ten_thousand_exchanges(tmp_path: Path) -> None:
    recording = tmp_path / "many.jsonl"
    many(recording, 10_000)
    steps = "search('/_ping'); rows()[0].click(); result = [rows().length, $('count').textContent];"
    assert in_browser(recording, tmp_path, steps) == [10_000, "5000 of 10000"]


@pytest.mark.parametrize("name", NAMES)
def test_the_data_is_that_of_the_recording(name: str) -> None:
    page = export(fixture(name), "html").decode()
    (text,) = re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)
    data = json.loads(text)
    assert [one["n"] for one in data["exchanges"]] == [one.number for one in exchanges(fixture(name))]
    assert [one["status"] for one in data["exchanges"]] == [
        one.response.head.status if one.response else 0 for one in exchanges(fixture(name))
    ]


def test_it_loads_nothing() -> None:
    page = REPORT.read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert not re.search(r"\b(src|href)=|@import|url\(|fetch\(|XMLHttpRequest", page)


def luminance(color: str) -> float:
    """Relative luminance, WCAG 2.1."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_has_contrast_in_both_themes() -> None:
    """WCAG 2.1, success criterion 1.4.3: 4.5 to 1."""
    themes = re.findall(r"--back: (#\w{6}).*?--wait", REPORT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(themes) == 3
    for block in re.findall(r"--back:.*?--focus", REPORT.read_text(encoding="utf-8"), re.DOTALL):
        colors = dict(re.findall(r"--(\w+): (#\w{6})", block))
        for back in ("back", "panel"):
            for text in ("text", "quiet", "accent", "good", "bad", "warn"):
                light, dark = sorted((luminance(colors[back]), luminance(colors[text])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (back, text)
