"""Fitted lead scores: the probability that a journey converts, from what was known at its MQL."""
