"""The stand-in for Telegram: the Bot API for programs, the customer's side for people and tests."""
