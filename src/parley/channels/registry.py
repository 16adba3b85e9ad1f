"""Which channels there are: the one place where a provider's folder is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from parley.channels.contract import Adapter
from parley.channels.telegram import TelegramAdapter
from parley.infra.http_client import HttpClient

ADAPTERS: Mapping[str, Callable[[HttpClient], Adapter]] = {
    TelegramAdapter.channel: TelegramAdapter,
}
"""By channel name, as an inbox stores it."""


def build_adapters(http: HttpClient) -> dict[str, Adapter]:
    """Return one adapter for each channel, all over the one HTTP client. Once per process."""
    return {name: build(http) for name, build in ADAPTERS.items()}
