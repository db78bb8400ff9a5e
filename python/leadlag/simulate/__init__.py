"""A seeded, deterministic fictional B2B company, written as the raw tables a loader would leave.

First the plan (`people`, `journeys`, `plan`), then the tables of every source (`salesforce`, `hubspot`, `web`, `ads`,
`product`), then the defects of rows (`defects`). The truth that only tests read comes from the plan (`truth`).
"""

from leadlag.simulate.run import generate
from leadlag.simulate.settings import DEFECTS, Settings, SimulationError, make_settings
from leadlag.simulate.tables import SCHEMAS

__all__ = ["DEFECTS", "SCHEMAS", "Settings", "SimulationError", "generate", "make_settings"]
