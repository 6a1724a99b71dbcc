"""Run by the environment of Massive's official client: what it receives from a port, as JSON in the last line of its output."""

import json
import sys

from massive import RESTClient, WebSocketClient
from massive.exceptions import AuthError
from websockets.exceptions import ConnectionClosedError


def tell(what: object) -> None:
    sys.stdout.write(json.dumps(what, default=vars) + "\n")


def main(port: str, key: str, what: str, *names: str) -> None:
    """`stream` topics, or ask for `trades`, `quotes`, `minutes` or `conditions`."""
    if what == "stream":
        received = []
        client = WebSocketClient(
            key, feed=f"127.0.0.1:{port}", market="stocks", secure=False, subscriptions=list(names)
        )
        try:
            client.run(received.extend)
        except AuthError as error:
            tell({"refused": str(error)})
            return
        except ConnectionClosedError as error:
            tell({"ended": str(error)})
            return
        tell([vars(event) for event in received])
        return
    client = RESTClient(key, base=f"http://127.0.0.1:{port}", retries=0)
    asked = {
        "trades": lambda: client.list_trades(names[0], limit=100, order="asc"),
        "quotes": lambda: client.list_quotes(names[0], limit=100, order="desc"),
        "minutes": lambda: client.list_aggs(names[0], 1, "minute", names[1], names[2], limit=10),
        "conditions": lambda: client.list_conditions(asset_class="stocks", limit=1000),
    }
    tell([vars(each) for each in asked[what]()])


main(*sys.argv[1:])
