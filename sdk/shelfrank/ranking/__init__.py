"""Rank and explain: the graph behind a guard, the pure ranker, pages and reasons."""
