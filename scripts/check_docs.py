"""Fail when a Markdown document names, in backticks, a path or a `parley.` name that does not exist.

A code span is taken for a path of the repository when its first part is a directory of the repository (or of
`src/parley`), or when it has a slash and the ending of a source file. It may stand relative to the repository,
to the document, to `src/parley` or to `web/src`, and may be a glob. What git ignores is none of our business.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "parley"
PLACES = (ROOT, PACKAGE, ROOT / "web" / "src")

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"\.?[\w@-][\w.@*-]*(?:/[\w.@*-]+)*/?")
_NAME = re.compile(r"parley(?:\.\w+)+")
_EXCHANGES = ("parley.events", "parley.updates")
"""Names of RabbitMQ's, not of Python's."""
_ENDING = re.compile(r"\.(?:py|tsx?|mjs|md|sql|toml|ya?ml|sh|css|html|json|txt)$")


def main() -> None:
    """Look at every document that git knows or would add."""
    wrong = 0
    for document in map(ROOT.joinpath, git_files("*.md")):
        if not document.exists():
            continue
        text = _FENCE.sub(lambda match: "\n" * match[0].count("\n"), document.read_text("utf-8"))
        for match in _SPAN.finditer(text):
            if complaint := find_complaint(match[1], document):
                wrong += 1
                line = text.count("\n", 0, match.start()) + 1
                sys.stdout.write(f"{document.relative_to(ROOT)}:{line}: {complaint}\n")
    sys.exit(1 if wrong else 0)


def find_complaint(span: str, document: Path) -> str | None:
    """Return what is wrong with a code span; None when it exists or is no path and no name of ours."""
    if span in _EXCHANGES:
        return None
    if _NAME.fullmatch(span.removesuffix("()")):
        return None if has_name(span.removesuffix("()").split(".")[1:]) else f"no such name: {span}"
    path = re.sub(r"(:\d+|::?\w+(\(\))?)$", "", span)  # file.py:12, file.py:function, file.py::test
    if not _PATH.fullmatch(path) or not looks_like_ours(path):
        return None
    if any(exists(place, path) for place in (*PLACES, document.parent)) or is_ignored(path):
        return None
    return f"no such path: {span}"


def looks_like_ours(path: str) -> bool:
    """Tell whether a text means a file here, and not a MIME type, an address or an example."""
    if "/" not in path:
        return False
    first = path.split("/", 1)[0]
    if first in ("..", "."):
        return True
    is_folder = any((place / first).is_dir() for place in (ROOT, PACKAGE)) and first not in (
        "application",
        "data",
    )
    return is_folder or bool(_ENDING.search(path))


def exists(place: Path, path: str) -> bool:
    """Tell whether a path or glob finds something from a place."""
    if "*" in path:
        return any(place.glob(path.rstrip("/")))
    return (place / path).exists()


def is_ignored(path: str) -> bool:
    """Tell whether git ignores a path, as it does what is built or kept at run time."""
    return subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0


def has_name(parts: list[str]) -> bool:
    """Tell whether a dotted name below `parley` is a module or a name at the top of one."""
    place = PACKAGE
    for index, part in enumerate(parts):
        if (place / part).is_dir():
            place /= part
            continue
        module = place / f"{part}.py"
        if module.exists():
            return index + 1 == len(parts) or parts[index + 1] in names_of(module)
        return (place / "__init__.py").exists() and part in names_of(place / "__init__.py")
    return True


@cache
def names_of(module: Path) -> frozenset[str]:
    """Return the names bound at the top of a module."""
    names: set[str] = set()
    for node in ast.parse(module.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(target.id for target in targets if isinstance(target, ast.Name))
    return frozenset(names)


def git_files(pattern: str) -> list[str]:
    """Return the files that match, known to git or about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", pattern]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in answer.stdout.split("\0") if name]


if __name__ == "__main__":
    main()
