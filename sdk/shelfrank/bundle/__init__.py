"""Bundles: read, verify, scan. Rules on bytes; only the device verifies, only training signs."""
