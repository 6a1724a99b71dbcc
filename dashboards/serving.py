"""Serving: the server of the pages. It answers this machine alone, unless it is told an address and has a password."""

import importlib
import ipaddress
import os
import socket
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import streamlit as st
from starlette.middleware import Middleware
from streamlit import config

from dashboards import theme
from dashboards.data import HOME
from dashboards.gate import Gate, SameOrigin
from dashboards.keeping import kept_beside
from pipeline.errors import ConfigError

PASSWORD: Final = "TAPE_DASHBOARD_PASSWORD"  # noqa: S105 - the name of a variable, not a password
APP: Final = Path(__file__).with_name("app.py")
_FIRST: Final = ("inventory", "live", "scans", "blotter", "prices", "studies", "sections", "playing", "controls")
"""What pages are made of."""

_NICENESS: Final = 10
"""A recorder on the same machine goes first."""

LOOPBACK: Final = "127.0.0.1"
_NAMES: Final = ["localhost", LOOPBACK]


def serve(
    home: str,
    *,
    address: str = LOOPBACK,
    port: int = 8501,
    log: str | None = None,
    is_opened: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the pages over the store `home` until interrupted, and open them in the browser of this machine.

        log     the session or run shown first, else the newest
        port    0: any that is free

    Raises ConfigError for an address that others reach when no password is set, and for a port that can't be had.
    """
    password = os.environ.get(PASSWORD, "")
    is_alone = checked(address, password)
    _try_port(address, port)
    os.environ[HOME] = str(Path(home).resolve())
    with suppress(OSError):
        os.nice(_NICENESS)

    @asynccontextmanager
    async def told(_app: Any) -> AsyncIterator[None]:
        url = f"http://{_spoken(address)}:{config.get_option('server.port')}/"
        url += f"?{urlencode({'log': log})}" if log else ""
        say(f"dashboard: {url}")
        if is_opened:
            webbrowser.open(url)
        yield

    for module in _FIRST:
        importlib.import_module(f"dashboards.{module}")  # before anybody waits for a page
    gate = [Middleware(Gate, password=password)] if password else []
    app = st.App(APP, lifespan=told, middleware=[Middleware(SameOrigin), *gate])
    with kept_beside(Path(os.environ[HOME])), suppress(KeyboardInterrupt):  # how it ends
        app.run(config=options(address, port, is_alone=is_alone))


def checked(address: str, password: str) -> bool:
    """Whether only this machine reaches an address. Raises ConfigError when others do and there is no password, or none to type."""
    if not password.isprintable():
        raise ConfigError(f"{PASSWORD}: accepted is text that can be typed, in UTF-8")
    try:
        is_alone = address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        raise ConfigError(f"--address {address}: accepted is an IP address such as {LOOPBACK} or 0.0.0.0") from None
    if not is_alone and not password:
        raise ConfigError(
            f"--address {address}: others reach it, so it needs a password: set {PASSWORD}, and serve it behind TLS"
        )
    return is_alone


def _try_port(address: str, port: int) -> None:
    """Raises ConfigError when nobody can be served there."""
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        socket.create_server((address, port), family=family).close()
    except OSError as error:
        raise ConfigError(
            f"--port {port} at {address}: {error.strerror or error}; accepted is another one, or 0 for any that is free"
        ) from None


def options(address: str, port: int, *, is_alone: bool) -> dict[str, Any]:
    """What the server is told: nothing leaves this machine, no file comes in, no other site may speak to it."""
    return {
        **theme.options(),
        "server.address": address,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.enableStaticServing": True,
        "server.maxUploadSize": 1,
        "server.allowedHosts": list(dict.fromkeys([*_NAMES, address])) if is_alone else [],
        "server.showEmailPrompt": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "runner.magicEnabled": False,
        "logger.level": "warning",
    }


def _spoken(address: str) -> str:
    """As it stands in a URL."""
    if address in ("0.0.0.0", "::"):  # noqa: S104 - every address: this machine's own is opened
        return LOOPBACK
    return f"[{address}]" if ":" in address else address
