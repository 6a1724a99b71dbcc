"""Environments of the vendors' own clients: one each, since their dependencies clash, kept in a cache outside of the repo."""

import os
import subprocess
import venv
from pathlib import Path

CACHE = Path(os.environ.get("TAPE_CLIENTS", "~/.cache/tapeworks/clients")).expanduser()


def python_with(name: str, *requirements: str) -> Path:
    """The Python of an environment with these packages; made and filled when it is not there yet."""
    folder = CACHE / name
    python = next((path for path in (folder / "bin/python", folder / "Scripts/python.exe") if path.exists()), None)
    if python is None:
        venv.create(folder, with_pip=True)
        return python_with(name, *requirements)
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != " ".join(requirements):
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        stamp.write_text(" ".join(requirements))
    return python
