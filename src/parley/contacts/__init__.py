"""Contacts: people outside, and their addresses in inboxes."""

from parley.contacts.identities import Identity, ensure_identity, find_identity, name_person, set_reachable

__all__ = ["Identity", "ensure_identity", "find_identity", "name_person", "set_reachable"]
