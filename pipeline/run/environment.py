"""Environment: what besides our own code a result could depend on, for the manifest."""

import platform
from functools import cache
from importlib.metadata import version
from typing import Final

_PACKAGES: Final = ("numpy", "numba", "pyarrow", "duckdb", "databento", "msgspec")


@cache
def packages() -> dict[str, str]:
    """Versions of Python and of the packages through which numbers pass."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def machine() -> str:
    """Operating system and processor family: results are promised equal within one of these."""
    return f"{platform.system()} {platform.machine()}"
