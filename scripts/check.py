"""`make check`: everything that can be said about the code without running it. Prints one line for each check.

As many run beside each other as there are cores: the longest are a single thread each.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"


def list_checks() -> list[tuple[str, list[str], Path]]:
    """Return name, command and directory of each check, the longest first."""
    python = str(BIN / "python")
    checks = [("types", [str(BIN / "mypy")], ROOT)]
    if (ROOT / "web" / "package.json").exists():
        checks.append(("web", ["npm", "run", "--silent", "check"], ROOT / "web"))
    generate = ROOT / "src" / "parley" / "apps" / "generate"
    if generate.with_suffix(".py").exists() or (generate / "__main__.py").exists():
        checks.append(("generated files", [python, "-m", "parley.apps.generate", "--check"], ROOT))
    return [
        *checks,
        ("layers", [str(BIN / "lint-imports"), "--no-logo"], ROOT),
        ("documents", [python, "scripts/check_docs.py"], ROOT),
        ("addresses", [python, "scripts/check_hosts.py"], ROOT),
        ("lint", [str(BIN / "ruff"), "check", "."], ROOT),
        ("format", [str(BIN / "ruff"), "format", "--check", "."], ROOT),
    ]


def run_check(name: str, command: list[str], directory: Path) -> tuple[str, float, str | None]:
    """Return the name, the seconds it took, and what it says is wrong: None when nothing is."""
    began = time.monotonic()
    process = subprocess.run(
        command, cwd=directory, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return name, time.monotonic() - began, process.stdout if process.returncode else None


def main() -> None:
    """Run all checks, then leave with 1 when any failed."""
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in as_completed([pool.submit(run_check, *check) for check in list_checks()]):
            name, seconds, wrong = done.result()
            sys.stdout.write(f"{'ok' if wrong is None else 'FAILED':7} {name} ({seconds:.1f} s)\n")
            if wrong is not None:
                failed.append(name)
                sys.stdout.write(wrong + "\n")
            sys.stdout.flush()
    if failed:
        sys.exit(f"make check: failed: {', '.join(sorted(failed))}")


if __name__ == "__main__":
    main()
