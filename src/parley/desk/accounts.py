"""Inboxes as adapters see them: which adapter, which account, with the secrets opened."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
from litestar.di import NamedDependency

from parley.channels.contract import Account, Adapter
from parley.desk.errors import UnknownChannel
from parley.infra.crypto import Keys
from parley.infra.settings import Settings


@dataclasses.dataclass(frozen=True)
class Channels:
    """The adapters of this process and what is needed to speak for an inbox.

    ``sandbox_url``: where our stand-ins answer, reached from this process; None when they are off.
    """

    adapters: Mapping[str, Adapter]
    keys: Keys
    settings: Settings
    sandbox_url: str | None = None
    sandbox_headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def adapter(self, channel: str) -> Adapter:
        """Return a channel's adapter. Raises: UnknownChannel."""
        try:
            return self.adapters[channel]
        except KeyError:
            raise UnknownChannel(channel=channel[:32]) from None

    def account(self, inbox: asyncpg.Record) -> Account:
        """Return the account of an inbox row. Raises: KeyMismatch."""
        inbox_id: UUID = inbox["id"]
        return Account(
            inbox_id=str(inbox_id),
            secrets=self.keys.decrypt(inbox["secrets"], bound_to=inbox_id.bytes),
            config=self.complete_config(inbox["channel"], inbox["config"]),
        )

    def complete_config(self, channel: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Add where the provider answers: the sandbox, an operator's own server, or the public one."""
        base_url = None
        if config.get("sandbox"):
            base_url = f"{self.sandbox_url}/{channel}" if self.sandbox_url else None
        elif channel == "telegram" and self.settings.telegram_api_url:
            base_url = self.settings.telegram_api_url
        return {**config, **({"base_url": base_url} if base_url else {})}

    def uses_webhook(self, config: Mapping[str, Any], adapter: Adapter) -> bool:
        """Whether updates of an account come by webhook: when the outside can reach us, or no other way exists."""
        return not adapter.features.can_poll or bool(self.settings.public_url and not config.get("sandbox"))


GivenChannels = NamedDependency[Channels]
