"""Reference pages out of the code: `python -m parley.apps.generate`; with ``--check`` it only says what is stale.

Writes docs/reference/: settings.md, errors.md, events.md, commands.md, openapi.json and parts of realtime.md. Nothing is opened: no
database, no network. The same code gives the same bytes.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from cyclopts import App

import parley
from parley.apps.generate_realtime import render_realtime
from parley.apps.openapi import describe_api
from parley.apps.rest import Parts, build_rest
from parley.infra.settings import describe_settings
from parley.kit.errors import Kind, ParleyError
from parley.kit.events import CONVERSATION_KINDS, PERSONAL_KINDS, SIGNAL_KINDS

ROOT = Path(__file__).resolve().parents[3]
_HOME = ROOT
FOLDER = Path("docs/reference")

_MADE = "<!-- Made by `python -m parley.apps.generate`; change the code, not this page. -->\n\n"
_EDGE_CODES = (
    ("bug", 500, "Something went wrong on our side. It has been logged."),
    ("method_not_allowed", 405, "This method is not served here."),
    ("unsupported_media_type", 415, "The body is of a type that this address does not take."),
    ("range_not_satisfiable", 416, "The file has no such bytes."),
    ("not_ready", 503, "The process is starting or stopping (`/readyz`)."),
)
"""What leaves at the edge without an error class: code, status, meaning."""

_INNER = "Mostly of the inside: seen in logs, in the journal and in the reason of a failed delivery."
_ROOM_TITLES = {
    "kit": "Everywhere",
    "infra": "Settings, database, work",
    "channels": "Channels",
    "accounts": "Accounts",
    "contacts": "Contacts",
    "media": "Files",
    "conversations": "Conversations",
    "desk": "Desk",
    "brokers": "RabbitMQ",
    "realtime": "Sockets",
    "compat": "Foreign dialects",
    "sandbox": "Sandbox",
}


def main(arguments: list[str]) -> int:
    """Write what differs and return 0; with ``--check`` write nothing and return 1 when something differs."""
    is_check = "--check" in arguments
    stale = [path for path, text in render_all().items() if _read(path) != text]
    for path in stale:
        sys.stdout.write(f"{'stale' if is_check else 'written'}: {path}\n")
        if not is_check:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(render_all()[path], "utf-8")
    if stale and is_check:
        sys.stdout.write("Run `.venv/bin/python -m parley.apps.generate` and commit what it wrote.\n")
    return 1 if stale and is_check else 0


def render_all() -> dict[Path, str]:
    """Return every page by its path in the repository."""
    return {
        FOLDER / "settings.md": render_settings(),
        FOLDER / "errors.md": render_errors(),
        FOLDER / "events.md": render_events(),
        FOLDER / "commands.md": render_commands(),
        FOLDER / "realtime.md": render_realtime((_HOME / FOLDER / "realtime.md").read_text("utf-8")),
        FOLDER / "openapi.json": render_openapi(),
    }


def render_settings() -> str:
    """Return the page of all settings."""
    rows = [
        (f"`{item['variable']}`", _default(item["default"]), item["about"]) for item in describe_settings()
    ]
    return (
        f"{_MADE}# Settings\n\nSettings are environment variables, read once at the start of a process. With none set, "
        "everything runs on this machine.\nA value that cannot be used stops the start with a sentence that names it.\n\n"
        + _table(("variable", "default", "what it does"), rows)
    )


def render_errors() -> str:
    """Return the page of all error codes, by room."""
    by_room: dict[str, list[type[ParleyError]]] = {}
    for error in list_errors():
        by_room.setdefault(error.__module__.split(".")[1], []).append(error)
    parts = [
        f"{_MADE}# Errors\n\nEvery failure of REST and of the sockets has one shape: "
        '`{"error": {"code", "message", "fields"}}`. `code` is\nstable and is what programs look at; `message` is one '
        "sentence for people; `fields` says what it is about.\nThe status follows from the kind of the error: "
        + ", ".join(f"{kind.value} {kind.name.lower().replace('_', ' ')}" for kind in Kind)
        + ".\n"
    ]
    for room in _in_order(by_room):
        rows = [(f"`{error.code}`", str(error.kind.value), _sentence(error)) for error in by_room[room]]
        note = f"\n{_INNER}\n" if room in ("channels", "infra") else ""
        parts.append(f"\n## {_ROOM_TITLES[room]}\n{note}\n" + _table(("code", "status", "meaning"), rows))
    edge = [(f"`{code}`", str(status), about) for code, status, about in _EDGE_CODES]
    parts.append("\n## At the edge\n\n" + _table(("code", "status", "meaning"), edge))
    return "".join(parts)


def list_errors() -> list[type[ParleyError]]:
    """Return every error class of the package with a code of its own, by code."""
    for module in _walk():
        importlib.import_module(module)
    found = {
        error
        for error in _subclasses(ParleyError)
        if error.__module__.startswith("parley.") and "code" in vars(error)
    }
    return sorted(found, key=lambda error: (error.code, error.__module__))


def render_events() -> str:
    """Return the page of all kinds of events and signals."""
    return (
        f"{_MADE}# Events\n\nAn event is one change in one stream, numbered without gaps and kept for "
        "`PARLEY_EVENT_DAYS`. How they reach a client stands in\n[realtime.md](realtime.md).\n\n"
        "## In a conversation's stream\n\n"
        f"{_kinds(CONVERSATION_KINDS)}\n## In an actor's personal stream\n\n{_kinds(PERSONAL_KINDS)}\n"
        "## Signals\n\nLive only: never numbered, never stored.\n\n"
        f"{_kinds(SIGNAL_KINDS)}"
    )


def render_commands() -> str:
    """Return the page of the command line."""
    started_as, sys.argv[0] = sys.argv[0], "parley"  # cyclopts shows how the process was started
    # looked at like any other module: to import it would point up
    app: App = importlib.import_module("parley.cli").app
    text = app.generate_docs(output_format="markdown", heading_level=1)
    sys.argv[0] = started_as
    text = re.sub(r"## Table of Contents.*?(?=^\*\*Commands)", "", text, flags=re.DOTALL | re.MULTILINE)
    return _MADE + re.sub(r"\n{3,}", "\n\n", text).strip().replace("# parley", "# The command line", 1) + "\n"


def render_openapi() -> str:
    """Return the OpenAPI document of this version."""
    nothing = cast("Any", None)
    rest = build_rest(Parts(runtime=nothing, channels=nothing, collector=nothing, pictures=nothing))
    return json.dumps(describe_api(rest), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _walk() -> Iterator[str]:
    for info in pkgutil.walk_packages(parley.__path__, "parley."):
        # running a migration or a program is not looking at it
        if not info.name.startswith("parley.migrations.") and not info.name.endswith("__main__"):
            yield info.name


def _subclasses(kind: type[ParleyError]) -> Iterator[type[ParleyError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _subclasses(child)


def _in_order(rooms: Iterable[str]) -> list[str]:
    known = list(_ROOM_TITLES)
    return sorted(rooms, key=known.index)


def _sentence(error: type[ParleyError]) -> str:
    head = inspect.cleandoc(error.__doc__ or "").partition("\n\n")[0]
    return " ".join(head.split())


def _default(text: str) -> str:
    shown = {"True": "1", "False": "0"}.get(text, text)
    return f"`{shown}`" if shown else ""


def _kinds(kinds: Mapping[str, str]) -> str:
    return _table(("kind", "what it says"), [(f"`{kind}`", about) for kind, about in kinds.items()])


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _read(path: Path) -> str | None:
    file = ROOT / path
    return file.read_text("utf-8") if file.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
