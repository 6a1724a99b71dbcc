"""The environments: which Pythons there are, what is installed for each, and what they say."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "build" / "matrix"
CHOICES = ("lowest-direct", "highest")
"""Which versions of the packages in pyproject.toml: its lower bounds, or the newest."""

NAMES = ("python", "numpy", "numba", "pyarrow", "duckdb")
_UV = (sys.executable, "-m", "uv")


class NotMadeError(Exception):
    """An environment can't be made, or nothing of ours runs in it; the text says why."""


def found_python(version: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The newest 3.12.x of pyenv for "3.12", else what uv finds: what it keeps itself, or what stands in the PATH."""
    home = environment.get("PYENV_ROOT") or str(Path.home() / ".pyenv")
    patches = {}
    for path in Path(home).glob("versions/*/bin/python"):
        if (name := re.fullmatch(rf"{re.escape(version)}\.(\d+)", path.parents[1].name)) and path.is_file():
            patches[int(name[1])] = str(path)
    if patches:
        return patches[max(patches)]
    command = [*_UV, "python", "find", "--no-project", "--no-python-downloads", version]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def stamp(pyproject: str, python: str, choice: str) -> str:
    """What an environment depends on: another Python, choice or requirement in pyproject.toml gives another one."""
    asked = [python, choice, *sorted(tomllib.loads(pyproject)["project"]["dependencies"])]
    return hashlib.sha256("\0".join(asked).encode()).hexdigest()


def made(name: str, python: str, choice: str) -> str:
    """The Python of the environment, installed unless it was for the same requirements. Raises NotMadeError."""
    folder, project = KEPT / name, ROOT / "pyproject.toml"
    inside, wanted = str(folder / "bin" / "python"), stamp(project.read_text(), python, choice)
    if not is_made(folder, wanted):
        shutil.rmtree(folder, ignore_errors=True)
        _run([*_UV, "venv", "--quiet", "--no-project", "--no-python-downloads", "--python", python, str(folder)])
        install = ["pip", "install", "--quiet", "--python", inside, "--only-binary", ":all:", "--resolution", choice]
        _run([*_UV, *install, "-r", str(project)], _index_of_pip())
        (folder / "made").write_text(wanted)
    return inside


def is_made(folder: Path, wanted: str) -> bool:
    """Whether what stands in a folder was made to the end for this stamp."""
    return (folder / "made").is_file() and (folder / "made").read_text() == wanted


def versions(python: str) -> tuple[str, ...]:
    """What an environment holds, in the order of NAMES. Raises NotMadeError."""
    asked = "import json; from pipeline.run.environment import packages; print(json.dumps(packages()))"
    found = json.loads(_run([python, "-c", asked]))
    return tuple(found[each] for each in NAMES)


def said(command: list[str], settings: Mapping[str, str]) -> tuple[list[dict[str, Any]], str]:
    """The lines of JSON that a worker prints, and the last line of what it complains about, '' when it ends well."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **settings}, check=False, capture_output=True, text=True
    )
    complaint = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1] if done.returncode else ""
    return [json.loads(line) for line in done.stdout.splitlines()], complaint


def _index_of_pip() -> dict[str, str]:
    """uv reads no settings of pip: an index that pip was set to is handed over, unless uv was told another."""
    if "UV_DEFAULT_INDEX" in os.environ or "UV_INDEX_URL" in os.environ:
        return {}
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    told = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
    index = os.environ.get("PIP_INDEX_URL") or told
    return {"UV_DEFAULT_INDEX": index} if index else {}


def _run(command: list[str], settings: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **(settings or {})}, check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        raise NotMadeError(reason) from None
    return done.stdout
