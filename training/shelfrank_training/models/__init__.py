"""Estimators fitted on aggregates; together one additive score."""
