"""Ground floor: standard library and msgspec types only, no I/O."""
