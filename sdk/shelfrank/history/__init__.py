"""This device's events: encrypted, authenticated, durable (history-format.md).

Nothing is imported here, so that only who opens a history pays for numpy and cryptography.
"""
