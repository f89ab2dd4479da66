"""Consent: what the policy allows, what the shopper chose, and nothing else permits."""
