"""Telegram by the Bot API."""

from parley.channels.telegram.adapter import TelegramAdapter

__all__ = ["TelegramAdapter"]
