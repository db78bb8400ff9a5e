"""Probabilities of being won, by stage and for each open journey, and how often they came true."""
