"""Clusters of Ray: one that runs is joined, if it answers as a head does; one of our own is started for a command and ended with it."""

import contextlib
import importlib
import logging
import os
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from pipeline.errors import ConfigError
from pipeline.run.code import ROOT
from pipeline.run.owned_folder import owned_folder

FOLDER_PREFIX: Final = "tape-ray-"
"""Of the folders in which clusters of our own keep their sockets and their logs."""

_REACHED_S: Final = 5.0
_HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""What a client of gRPC begins with, and its settings, of which there are none (RFC 9113, 3.4)."""
_SETTINGS: Final = 4
"""The type of a server's first frame."""
_STORE_BYTES: Final = 128 << 20
"""Of the object store of a cluster of our own: all of it sees the files, so nothing is sent."""
_ADDRESS: Final = re.compile(r"[\w.-]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}", re.ASCII)


def ray() -> Any:
    """The package, loaded when it is needed: that takes a second."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    os.environ.setdefault("RAY_SCHEDULER_EVENTS", "0")  # nor printed between our lines
    return importlib.import_module("ray")


def is_address(text: str) -> bool:
    """Whether it is HOST:PORT."""
    return bool(_ADDRESS.fullmatch(text))


@contextlib.contextmanager
def connected(address: str, cores: int, told: Callable[[str], None]) -> Iterator[None]:
    """Within it this process is in the cluster at `address` (as `RayChoice` has it); where it is in there already nothing changes.

    Only a cluster that was started here is ended behind it. Raises ConfigError when none answers at the address.
    """
    if not address:  # before Ray is loaded: nothing of a cluster of our own listens beyond loopback
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    else:
        _take_token()
    if ray().is_initialized() and address in {"", "auto", ray().get_runtime_context().gcs_address}:
        yield
        return
    with ExitStack() as ending:
        if address:
            _join(address)
            nodes = sum(1 for each in ray().nodes() if each["Alive"])
            told(f"Ray at {address}: {nodes} nodes, {int(ray().cluster_resources().get('CPU', 0))} cores")
        else:
            folder = ending.enter_context(owned_folder(FOLDER_PREFIX, short_root()))
            told("starting Ray on this machine")  # in a folder below: Ray lets everybody write into its own
            _start(str(folder / "r"), cores or os.cpu_count() or 1)
        ending.callback(ray().shutdown)
        yield


def _take_token() -> None:
    """Have Ray show the token of this user, if there is one: `ray start` asks for it then, and who joins shows none unless told to.

    Before Ray is loaded. A cluster that asks for none does not mind.
    """
    is_there = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    if is_there or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _start(folder: str, cores: int) -> None:
    paths = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *([paths] if paths else [])])
    try:
        ray().init(
            address="local",
            num_cpus=cores,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=_STORE_BYTES,
            _temp_dir=folder,
        )
    finally:
        del os.environ["PYTHONPATH"]
        if paths is not None:
            os.environ["PYTHONPATH"] = paths


def _join(address: str) -> None:
    try:
        named = _written_down() if address == "auto" else address
        host, _, port = named.rpartition(":")
        greet(host.strip("[]"), int(port))
        ray().init(address=named, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        said = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"--address {address}: no Ray cluster that can be joined ({said}); `ray start --head` starts one"
        ) from None


def greet(host: str, port: int) -> None:
    """Raises OSError where nobody answers as a head does: Ray waits ten minutes for one that takes a connection and is silent.

    A cluster that speaks TLS is greeted by Ray alone, which has the certificates.
    """
    with socket.create_connection((host, port), timeout=_REACHED_S) as connection:
        if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
            return
        connection.sendall(_HELLO)
        with connection.makefile("rb") as answer:
            head = answer.read(4)
        if len(head) < 4 or head[3] != _SETTINGS:
            raise ConnectionError("what listens there is no head of a cluster")


def _written_down() -> str:
    """The cluster of RAY_ADDRESS, or the last one that `ray start` began or joined here. Raises ConnectionError.

    Asked for `auto`, Ray takes any process that is a head by its name, one that another command started for itself alone, too,
    and waits ten minutes for one that does not answer.
    """
    temporary = os.environ.get("TMPDIR") if sys.platform.startswith("linux") else None
    file = Path(os.environ.get("RAY_TMPDIR") or temporary or short_root(), "ray", "ray_current_cluster")
    named = os.environ.get("RAY_ADDRESS") or (file.read_text().strip() if file.is_file() else "")
    if not is_address(named):
        raise ConnectionError(f"no HOST:PORT in RAY_ADDRESS, nor in {file}")
    return named


def short_root() -> Path:
    """Where a folder for sockets lies, whose paths may not be long."""
    root = Path("/tmp")  # noqa: S108 - the names in it are random
    return root if root.is_dir() else Path(tempfile.gettempdir())
