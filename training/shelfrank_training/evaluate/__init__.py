"""Measures a model folder on held-out shoppers, through the bundle and ranker that ship."""
