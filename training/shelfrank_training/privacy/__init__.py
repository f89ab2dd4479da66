"""Check a policy, list what it keeps and why, and gather the evidence for counsel."""
