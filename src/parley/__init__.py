"""Parley: one desk for every channel, one messenger, one message core."""

__version__ = "0.1.0"
