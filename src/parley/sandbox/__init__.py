"""Stand-ins for the providers: full programs behind the real protocols, for a first start, a demo and every test.

Owns its own state file and speaks only HTTP: nothing of Parley is imported but `kit`, and Parley reaches a stand-in
exactly as it would reach the provider, by a base URL.
"""

from parley.sandbox.app import Sandbox, create_app, create_bot

__all__ = ["Sandbox", "create_app", "create_bot"]
