"""Wiring, and nothing else: one short file for each process, read as a table of contents."""
