"""Providers: one folder each, pure parsing and formatting, one client that does I/O."""
