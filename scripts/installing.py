"""Make `.venv` hold what a requirements file pins, by content: nothing is done when nothing changed.

Standard library only. The machine's pip settings (`PIP_*`, pip.conf) say where packages come from.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMPS = VENV / "stamps"


def hash_of(*parts: Path | str) -> str:
    """Return a hash over texts and the contents of files."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode()
        digest.update(f"{len(data)} ".encode() + data)
    return digest.hexdigest()


def is_stamped(stamp: Path, value: str) -> bool:
    """Tell whether the work that `stamp` stands for was last done for exactly this."""
    return stamp.exists() and stamp.read_text() == value


def write_stamp(stamp: Path, value: str) -> None:
    """Note that the work was done."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(value)


def say(text: str) -> None:
    """Tell the person at the terminal what takes time now."""
    print(f"parley: {text}", file=sys.stderr, flush=True)


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command in the foreground; leave with its code when it fails."""
    try:
        code = subprocess.call([str(part) for part in command], cwd=cwd)
    except KeyboardInterrupt:
        sys.exit(130)
    if code != 0:
        say(f"failed ({code}): {' '.join(map(str, command))}")
        sys.exit(code if code > 0 else 1)


def ensure_venv() -> None:
    """Make `.venv` with pip when there is none that works."""
    python = VENV / "bin" / "python"
    if os.access(python, os.X_OK) and (VENV / "pyvenv.cfg").exists():
        return
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(
            f"This Python ({sys.executable}) has no module {' and '.join(missing)}, which make .venv.\n"
            f"Debian, Ubuntu:  apt install python3-venv   (or python{version}-venv)\n"
            "Then run the same command again."
        )
    say("making .venv")
    run(sys.executable, "-m", "venv", "--clear", VENV)


def ensure_requirements(name: str) -> None:
    """Install `requirements/<name>.txt`, every file checked by its hash. Repeat: free until it changes."""
    ensure_venv()
    pinned = ROOT / "requirements" / f"{name}.txt"
    value = hash_of(pinned, (VENV / "pyvenv.cfg"))
    stamp = STAMPS / name
    if is_stamped(stamp, value):
        return
    say(f"installing what requirements/{name}.txt pins (once)")
    python = VENV / "bin" / "python"
    quiet = ("--quiet", "--disable-pip-version-check", "--no-warn-script-location")
    run(python, "-m", "pip", "install", *quiet, "--require-hashes", "--requirement", pinned)
    write_stamp(stamp, value)


def ensure_parley() -> None:
    """Install Parley itself, editable: `.venv/bin/parley` runs what stands in `src`."""
    value = hash_of(ROOT / "pyproject.toml", str(ROOT))
    if is_stamped(STAMPS / "parley", value) and (VENV / "bin" / "parley").exists():
        return
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation")
    run(VENV / "bin" / "python", "-m", "pip", "install", *options, "--editable", ROOT)
    write_stamp(STAMPS / "parley", value)
