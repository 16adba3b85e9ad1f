"""Build hook of the wheel: the front ends go into it, built."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEndHook(BuildHookInterface[Any]):
    """Builds before a wheel is packed; an editable install builds by `make run`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is not built yet, so that the packed directories are of these sources."""
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root) / "scripts"))
        from frontend import ensure_front_ends

        ensure_front_ends()
