"""Documents: links lead somewhere, both READMEs say the same commands, and the list of system transactions is whole."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
FUNCTION = re.compile(r"`([\w/-]+\.py):(\w+)`")
NUMBERED = re.compile(r"(\d{4})-[a-z0-9-]+\.md")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    targets = LINK.findall(document.read_text("utf-8"))
    missing = [
        target
        for target in targets
        if not target.startswith(("http://", "https://", "mailto:"))
        and not (document.parent / target).exists()
    ]
    assert not missing


def test_names_and_paths_in_documents_exist() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/check_docs.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_functions_named_with_their_file_stand_in_it() -> None:
    missing = []
    for document in DOCUMENTS:
        for path, name in FUNCTION.findall(document.read_text("utf-8")):
            file = next(place / path for place in (ROOT, ROOT / "src" / "parley") if (place / path).exists())
            if name not in _names_in(file):
                missing.append(f"{document.name}: {path}:{name}")
    assert not missing


def test_both_readmes_name_the_same_commands_settings_and_documents() -> None:
    def words(name: str) -> set[str]:
        text = (ROOT / name).read_text("utf-8")
        spans = re.findall(r"make \w+|PARLEY_\w+|DATABASE_URL|`parley [\w -]+`", text)
        return {*spans, *(link for link in LINK.findall(text) if not link.startswith("README"))}

    assert words("README.md") == words("README.ru.md")
    assert {"make run", "make test"} <= words("README.md")


def test_every_decision_has_its_number_and_stands_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    names = sorted(path.name for path in folder.glob("[0-9]*.md"))
    numbers = [name[:4] for name in names]
    assert len(numbers) == len(set(numbers)), "two decisions of one number"
    assert set(NUMBERED.findall((folder / "README.md").read_text())) == {name[:4] for name in names}
    for name in names:
        text = (folder / name).read_text("utf-8")
        for part in ("## Context", "## Decision", "## Consequences"):
            assert part in text, name


def test_every_function_that_runs_as_parley_system_is_listed_with_its_reason() -> None:
    listed = (ROOT / "docs" / "adr" / "0004-isolation-three-deep.md").read_text("utf-8")
    missing = [
        f"{module}: {function}"
        for module, function in _system_transactions()
        if not re.search(rf"`{re.escape(module)}`[^|]*\|[^|]*`{re.escape(function)}`", listed)
    ]
    assert not missing, "add a row to the list of ADR 0004, with the reason"


def _names_in(file: Path) -> set[str]:
    """Return the functions and classes of a module, methods too."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, kinds)}


def _system_transactions() -> list[tuple[str, str]]:
    """Return (module path below src/parley, function) of every use of `Database.system`."""
    package = ROOT / "src" / "parley"
    found = set()
    for path in package.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Attribute) and node.attr in ("system", "_system"):
                        found.add((path.relative_to(package).as_posix(), function.name))
    return sorted(found)
