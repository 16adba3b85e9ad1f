"""Fail when a registry's address or a path of somebody's machine stands in the repository."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FORBIDDEN = re.compile(
    r"p[y]pi\.org|pythonh[o]sted|registry\.(?:n[p]mjs|y[a]rnpkg)|deb\.d[e]bian|/r[o]ot/|/w[o]rk/|/U[s]ers/\w+/"
)
"""Written with brackets, so that it does not find itself."""


def main() -> None:
    """Look at every file that git knows or would add."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = 0
    for name in filter(None, listing.stdout.split("\0")):
        path = ROOT / name
        if path.suffix == ".svg" or not path.is_file() or b"\0" in (data := path.read_bytes()):
            continue
        for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
            if match := FORBIDDEN.search(line):
                found += 1
                sys.stdout.write(f"{name}:{number}: {match[0]}\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
