"""Change control of KPI and conversion definitions: what decides a number does not change without a new version."""
