"""The reference pages are of this code, and what they list is all there is."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from parley.apps import generate
from parley.apps.openapi import list_operations
from parley.kit.events import CONVERSATION_KINDS, PERSONAL_KINDS, SIGNAL_KINDS

PACKAGE = generate.ROOT / "src" / "parley"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The OpenAPI document as it is made now."""
    made: dict[str, Any] = json.loads(generate.render_openapi())
    return made


def test_every_page_in_the_repository_is_what_the_code_makes_now() -> None:
    stale = [
        str(path)
        for path, text in generate.render_all().items()
        if (generate.ROOT / path).read_text() != text
    ]
    assert not stale, "run: python -m parley.apps.generate"


def test_a_stale_page_is_told_and_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    page = tmp_path / generate.FOLDER / "errors.md"
    page.write_text("old")
    assert generate.main(["--check"]) == 1
    assert page.read_text() == "old"
    assert "errors.md" in capsys.readouterr().out


def test_generating_needs_no_database_and_no_data_directory(tmp_path: Path) -> None:
    code = "from parley.apps.generate import render_all; print(len(render_all()))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"DATABASE_URL": "postgresql://127.0.0.1:1/none"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "6"), done.stderr
    assert not list(tmp_path.iterdir())


def test_every_operation_has_a_summary_a_tag_and_an_id_of_its_own(document: dict[str, Any]) -> None:
    operations = list_operations(document)
    assert len(operations) > 50
    for method, path, operation in operations:
        assert operation["summary"][:1].isupper(), (method, path)
        assert " " in operation["summary"] or operation["summary"] == "API keys", (method, path)
        assert len(operation["tags"]) == 1, (method, path)
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(set(ids)) == len(ids)
    assert [name for name in ids if not name.islower() or not name.isidentifier()] == []


def test_only_what_needs_no_token_says_so(document: dict[str, Any]) -> None:
    public = {path for _, path, operation in list_operations(document) if operation.get("security") == []}
    assert {"/v1/setup", "/v1/auth/sign-in", "/webhooks/{channel}/{inbox_id}"} <= public
    assert all(
        path.startswith(("/v1/setup", "/v1/auth/", "/v1/invitations/", "/webhooks/")) for path in public
    )


def test_every_operation_can_answer_with_the_one_error_shape(document: dict[str, Any]) -> None:
    assert "error" in document["components"]["schemas"]["Error"]["properties"]
    for method, path, operation in list_operations(document):
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Error"}, (method, path)
        assert "400" not in operation["responses"], "the framework's own error shape"


def test_what_an_answer_always_has_is_required_and_what_a_request_may_leave_out_is_not(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    assert set(schemas["Message"]["required"]) == set(schemas["Message"]["properties"])
    assert {"code", "text"} <= set(schemas["StatusError"]["required"])
    assert "error" in schemas["Status"]["required"]
    assert "refresh_token" not in schemas["SignedIn"]["required"]
    assert "entities" not in schemas["SendRequest"].get("required", ())
    assert not schemas["DeskChange"].get("required")


def test_every_reference_inside_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    def look(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(target := value.get("$ref"), str):
                found: Any = document
                for part in target.removeprefix("#/").split("/"):
                    found = found[part]
            for child in value.values():
                look(child)
        elif isinstance(value, list):
            for child in value:
                look(child)

    look(document)


def test_every_error_has_a_code_and_a_sentence() -> None:
    for error in generate.list_errors():
        assert error.code.replace("_", "").isalnum(), error
        assert (error.__doc__ or "").strip(), error


def test_every_kind_of_event_in_the_code_stands_in_the_table() -> None:
    known = CONVERSATION_KINDS.keys() | PERSONAL_KINDS.keys() | SIGNAL_KINDS.keys()
    assert {kind for kind in _kinds_in_the_code() if kind.count(".") == 1} <= known
    assert all(kind.count(".") == 1 and about.endswith(".") for kind, about in CONVERSATION_KINDS.items())


def test_every_kind_in_the_table_is_made_somewhere() -> None:
    made = {
        node.value
        for path in PACKAGE.rglob("*.py")
        if path.name != "events.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not (CONVERSATION_KINDS.keys() | PERSONAL_KINDS.keys() | SIGNAL_KINDS.keys()) - made


def _kinds_in_the_code() -> set[str]:
    """Return the texts given as `kind` to a call, and as the fourth argument of `record_personal`."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if "sandbox" in path.parts:
            continue
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            values = [keyword.value for keyword in call.keywords if keyword.arg == "kind"]
            if isinstance(call.func, ast.Name) and call.func.id == "record_personal":
                values += call.args[3:4]
            for value in values:
                found |= {
                    node.value
                    for node in ast.walk(value)
                    if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value
                }
    return found
