"""`make check`: everything that can be said about the code without running it. Prints one line for each check."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"


def list_checks() -> list[tuple[str, list[str], Path]]:
    """Return name, command and directory of each check, the quickest first."""
    python = str(BIN / "python")
    checks = [
        ("format", [str(BIN / "ruff"), "format", "--check", "."], ROOT),
        ("lint", [str(BIN / "ruff"), "check", "."], ROOT),
        ("documents", [python, "scripts/check_docs.py"], ROOT),
        ("addresses", [python, "scripts/check_hosts.py"], ROOT),
        ("layers", [str(BIN / "lint-imports"), "--no-logo"], ROOT),
        ("types", [str(BIN / "mypy")], ROOT),
    ]
    generate = ROOT / "src" / "parley" / "apps" / "generate"
    if generate.with_suffix(".py").exists() or (generate / "__main__.py").exists():
        checks.append(("generated files", [python, "-m", "parley.apps.generate", "--check"], ROOT))
    if (ROOT / "web" / "package.json").exists():
        checks.append(("web", ["npm", "run", "--silent", "check"], ROOT / "web"))
    return checks


def main() -> None:
    """Run all checks, then leave with 1 when any failed."""
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    failed = []
    for name, command, directory in list_checks():
        began = time.monotonic()
        process = subprocess.run(
            command, cwd=directory, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        verdict = "ok" if process.returncode == 0 else "FAILED"
        sys.stdout.write(f"{verdict:7} {name} ({time.monotonic() - began:.1f} s)\n")
        if process.returncode != 0:
            failed.append(name)
            sys.stdout.write(process.stdout + "\n")
        sys.stdout.flush()
    if failed:
        sys.exit(f"make check: failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
