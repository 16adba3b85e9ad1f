"""From a fresh clone to a running Parley: `python3 scripts/bootstrap.py run` (what `make run` calls).

    run     make .venv, install, build the front ends, then become `parley serve`
    ready   the same without starting
    dev     what tests and checks need besides

Everything is stamped by content: the second time there is nothing to do.
"""

from __future__ import annotations

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

OLDEST_PYTHON = (3, 11)


def find_newer_python() -> str:
    """Return a Python that is new enough, or leave with what to install."""
    for minor in range(14, OLDEST_PYTHON[1] - 1, -1):
        path = shutil.which("python3.%d" % minor)  # noqa: UP031 - an old Python reads this file
        if path:
            return path
    sys.exit("Parley needs Python 3.11 or newer and this is %s.%s.\nDebian 12, Ubuntu 24.04 or newer:  "  # noqa: UP031
             "apt install python3 python3-venv" % sys.version_info[:2])  # fmt: skip


def install(requirements: str, packages: list[str]) -> None:
    """Bring Python's packages and the front ends up to date; beside each other where the machine has a Node of its own."""
    from frontend import ensure_front_ends, ensure_packages, has_node
    from installing import ensure_parley, ensure_requirements

    def ensure_web() -> None:
        for name in packages:
            ensure_packages(name)
        ensure_front_ends()

    with ThreadPoolExecutor(1) as beside:
        web = beside.submit(ensure_web) if has_node() else None
        ensure_requirements(requirements)
        ensure_parley()
        web.result() if web else ensure_web()


def main() -> None:
    """Do what the command line says."""
    if sys.version_info < OLDEST_PYTHON:
        python = find_newer_python()
        os.execv(python, [python, *sys.argv])
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    command = sys.argv[1] if len(sys.argv) > 1 else "run"
    install("dev", ["web", "tests/realtime/js"]) if command == "dev" else install("run", [])
    if command == "run":
        from installing import VENV

        parley = VENV / "bin" / "parley"
        os.execv(parley, [str(parley), "serve", *sys.argv[2:]])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
