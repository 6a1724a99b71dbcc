"""Opening: the real connection of any vendor, by the scheme of its address."""

from urllib.parse import urlsplit

from pipeline.feeds.databento_socket import gateway_socket
from pipeline.feeds.sockets import Socket, web_socket
from pipeline.feeds.vendor import Vendor


async def open_socket(vendor: Vendor) -> Socket:
    """`tcp://` is Databento's gateway, all else a WebSocket. Raises SocketError, OSError, TimeoutError."""
    return await (gateway_socket if urlsplit(vendor.url).scheme == "tcp" else web_socket)(vendor)
