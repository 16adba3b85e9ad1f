"""Pictures of screens, for whoever asks for them by naming a folder in the environment."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.async_api import Page

FOLDER = os.environ.get("PARLEY_TESTS_SCREENSHOTS")


async def shoot(page: Page, name: str) -> None:
    """Keep a picture of what is on screen under a name, if asked to."""
    if FOLDER:
        await page.screenshot(path=str(Path(FOLDER) / f"{name}.png"))
