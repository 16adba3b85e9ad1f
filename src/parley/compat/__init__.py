"""Foreign dialects over our doors: each a folder, each thin, none with rules of its own."""
