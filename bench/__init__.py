"""Measurements of Parley against a ceiling or a peer, alternating in one run: `make bench`, `make bench ONLY=name`."""
