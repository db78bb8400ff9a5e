"""Python companion of the leadlag dbt project: demo data, forecasts and calibration on the marts."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("leadlag")
except PackageNotFoundError:  # a checkout that is on the path without being installed
    __version__ = "0+checkout"

__all__ = ["__version__"]
