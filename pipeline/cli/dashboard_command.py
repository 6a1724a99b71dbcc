"""`tape dashboard`: the pages, in the browser of this machine."""

import click


@click.command("dashboard")
@click.option("--session", "name", metavar="NAME", help="the session or run shown first  [default: the newest]")
@click.option("--port", type=click.IntRange(0, 65_535), default=8501, show_default=True, help="0: any that is free")
@click.option("--address", default="127.0.0.1", show_default=True, help="others than this machine need a password")
@click.option("--no-browser", is_flag=True, help="only serve; print the address")
@click.pass_obj
def command(home: str, name: str | None, port: int, address: str, *, no_browser: bool) -> None:
    """Open the dashboard: sessions, trades, charts, in the browser. Ends with Ctrl-C.

    It answers this machine alone. For another --address set TAPE_DASHBOARD_PASSWORD, and put TLS in front of it.

    \b
    tape dashboard
    tape dashboard --session last
    """
    from pathlib import Path

    from dashboards.serving import serve
    from pipeline.log.store import Store

    log = Store(Path(home)).find_one(name).id if name else None
    serve(home, address=address, port=port, log=log, is_opened=not no_browser, say=click.echo)
