"""The files in a directory that somebody else may be writing in."""

import os
from pathlib import Path


def files_under(folder: Path) -> list[Path]:
    """Return all files below a folder; a folder that goes while it is read has none (`rglob` would raise)."""
    return [Path(at, name) for at, _, names in os.walk(folder) for name in names]
