"""A Python program that makes the same requests again: with the docker SDK where it has a method for them.

What it has none for goes through the SDK's own session, which knows the way to the daemon (DOCKER_HOST and the rest).
Methods: docker-py 7's low-level API.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator

from tracer.engine.meaning import Meaning, meaning_of
from tracer.engine.rerun import Call, Names, calls
from tracer.exchanges import Exchange
from tracer.views.exports import Recorded

SIMPLE = {
    "SystemPing": "ping()",
    "SystemPingHead": "ping()",
    "SystemVersion": "version()",
    "SystemInfo": "info()",
    "SystemDataUsage": "df()",
    "ContainerInspect": "inspect_container({0})",
    "ContainerStart": "start({0})",
    "ContainerStop": "stop({0})",
    "ContainerRestart": "restart({0})",
    "ContainerKill": "kill({0})",
    "ContainerPause": "pause({0})",
    "ContainerUnpause": "unpause({0})",
    "ContainerTop": "top({0})",
    "ContainerChanges": "diff({0})",
    "ExecInspect": "exec_inspect({0})",
    "ImageInspect": "inspect_image({0})",
    "ImageHistory": "history({0})",
    "ImageDelete": "remove_image({0})",
    "NetworkInspect": "inspect_network({0})",
    "NetworkDelete": "remove_network({0})",
    "VolumeList": "volumes()",
    "VolumeInspect": "inspect_volume({0})",
    "VolumeDelete": "remove_volume({0})",
}
"""Methods of `docker.APIClient` by operation; `{0}` is what stands in the path."""


def export(recorded: Recorded) -> Iterator[bytes]:
    """The program."""
    yield f'"""The requests of: {_safe(shlex.join(recorded.header.argv))}"""\n\n'.encode()
    yield b"# Made by socktrace. Look at it before you run it: it does what was done then.\n"
    yield b"# Needs docker-py (pip install docker).\n\nimport base64\nimport time\n"
    yield b"from concurrent.futures import ThreadPoolExecutor\n\n"
    yield b"import docker\n\napi = docker.from_env().api\nbackground = ThreadPoolExecutor()\nwaiting = []\n"
    yield REQUEST
    names = Names()
    for call in calls(recorded.exchanges, names):
        yield ("\n" + "\n".join(_call(call, names)) + "\n").encode()
    yield b"\nfor result in waiting:\n    print(result.result())\n"


REQUEST = b'''

def request(method, target, body=None, headers=None):
    """A call that the SDK has no method for, on its session."""
    answer = api.request(method, api.base_url + target, data=body, headers=headers, timeout=60)
    print(method, target, answer.status_code)
    return answer
'''


def _safe(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', "'''").replace("\n", " ")


def _call(call: Call, names: Names) -> Iterator[str]:
    exchange = call.exchange
    assert exchange.request is not None
    meaning = meaning_of(exchange)
    body = exchange.request.body
    yield f"# {exchange.number}: {meaning.summary or exchange.request.head.method}"
    if exchange.upgrade:
        yield f"# left out: the connection becomes {exchange.upgrade}"
        return
    if body.size and body.raw is None:
        yield f"# left out: its body of {body.size:,} bytes is more than an export keeps"
        return
    code, by_sdk = _code(exchange, meaning, names)
    if call.waits:
        yield f"waiting.append(background.submit(lambda: {code}))"
        yield "time.sleep(0.5)  # the daemon has to know of it before the next request"
    elif call.gives:
        yield f'{call.gives} = {code}{"" if by_sdk else ".json()"}["Id"]'
        yield f"print({call.gives})"
    else:
        yield f"print({code})" if by_sdk else code


def _code(exchange: Exchange, meaning: Meaning, names: Names) -> tuple[str, bool]:
    """An expression that makes the request, and whether it is a method of the SDK."""
    name = meaning.operation.id if meaning.operation else ""
    special = SPECIAL.get(name)
    if special is not None:
        found = special(exchange, meaning, names)
        if found:
            return f"api.{found}", True
    if name in SIMPLE and not meaning.query:
        return f"api.{SIMPLE[name].format(_subject(meaning, names))}", True
    return _request(exchange, names), False


def _subject(meaning: Meaning, names: Names) -> str:
    """What stands in the path's placeholder, as an expression."""
    if meaning.operation is None or "{" not in meaning.operation.path:
        return '""'
    before, _, rest = meaning.operation.path.partition("{")
    after = rest.partition("}")[2]
    return _expression(meaning.path.removeprefix(before).removesuffix(after), names)


def _expression(text: str, names: Names) -> str:
    """A string in which ids are variables."""
    parts = names.split(text)
    if len(parts) == 1 and parts[0][1]:
        return str(parts[0][1])
    return " + ".join(variable or json.dumps(piece) for piece, variable in parts) or '""'


def _request(exchange: Exchange, names: Names) -> str:
    assert exchange.request is not None
    head, raw = exchange.request.head, exchange.request.body.raw
    arguments = [json.dumps(head.method), _expression(head.target, names)]
    if raw:
        arguments.append(f'base64.b64decode("{_b64(raw)}")' if _is_binary(raw) else repr(raw))
        kind = head.value("content-type")
        arguments += [f"{{'Content-Type': {kind!r}}}"] if kind else []
    return f"request({', '.join(arguments)})"


def _b64(raw: bytes) -> str:
    import base64

    return base64.b64encode(raw).decode()


def _is_binary(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return True
    return b"\0" in raw


Special = Callable[[Exchange, Meaning, Names], str | None]


def _first(meaning: Meaning, name: str) -> str:
    return meaning.query.get(name, [""])[0]


def _flag(meaning: Meaning, name: str) -> bool:
    return _first(meaning, name) in ("1", "true", "True")


def _list(exchange: Exchange, meaning: Meaning, names: Names) -> str | None:
    if set(meaning.query) - {"all", "limit"}:
        return None
    limit = _first(meaning, "limit")
    return f"containers(all={_flag(meaning, 'all')}{f', limit={int(limit)}' if limit.isdigit() else ''})"


def _create(exchange: Exchange, meaning: Meaning, names: Names) -> str | None:
    assert exchange.request is not None
    config = exchange.request.body.preview
    if set(meaning.query) - {"name"} or not isinstance(config, dict) or exchange.request.body.cut:
        return None
    name = _first(meaning, "name")
    return f"create_container_from_config({config!r}, {name or None!r})"


def _wait(exchange: Exchange, meaning: Meaning, names: Names) -> str:
    condition = _first(meaning, "condition")
    return f"wait({_subject(meaning, names)}{f', condition={condition!r}' if condition else ''})"


def _delete(exchange: Exchange, meaning: Meaning, names: Names) -> str:
    options = {"v": "v", "force": "force", "link": "link"}
    said = "".join(f", {option}=True" for name, option in options.items() if _flag(meaning, name))
    return f"remove_container({_subject(meaning, names)}{said})"


def _logs(exchange: Exchange, meaning: Meaning, names: Names) -> str | None:
    if set(meaning.query) - {"stdout", "stderr", "timestamps", "tail"}:
        return None
    said = "".join(f", {name}={_flag(meaning, name)}" for name in ("stdout", "stderr", "timestamps"))
    tail = _first(meaning, "tail")
    return f"logs({_subject(meaning, names)}{said}{f', tail={int(tail)}' if tail.isdigit() else ''})"


def _images(exchange: Exchange, meaning: Meaning, names: Names) -> str | None:
    return f"images(all={_flag(meaning, 'all')})" if not set(meaning.query) - {"all"} else None


def _pull(exchange: Exchange, meaning: Meaning, names: Names) -> str | None:
    image, tag = _first(meaning, "fromImage"), _first(meaning, "tag")
    if not image or set(meaning.query) - {"fromImage", "tag", "platform"}:
        return None
    return f"pull({image!r}, tag={tag or 'latest'!r})"


SPECIAL: dict[str, Special] = {
    "ContainerList": _list,
    "ContainerCreate": _create,
    "ContainerWait": _wait,
    "ContainerDelete": _delete,
    "ContainerLogs": _logs,
    "ImageList": _images,
    "ImageCreate": _pull,
}
"""Operations whose query or body become arguments; None where the SDK's method can't say it."""
