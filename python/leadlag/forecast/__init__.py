"""Forecasts of conversions, wins and bookings from the journeys that are open and those still to come."""
