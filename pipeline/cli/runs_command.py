"""`tape runs`: what was replayed."""

import click

from pipeline.cli.sessions_command import delete_named, list_logs, show_manifest
from pipeline.cli.show import json_option


@click.group("runs")
def command() -> None:
    """List, show and delete runs."""


@command.command("list")
@json_option
@click.pass_obj
def list_(home: str, as_json: bool) -> None:
    """One line a run, oldest first."""
    list_logs(home, "run", as_json=as_json)


@command.command()
@click.argument("name", default="last-run")
@json_option
@click.pass_obj
def show(home: str, name: str, as_json: bool) -> None:
    """The manifest of a run NAME."""
    show_manifest(home, name, as_json=as_json)


@command.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="do not ask")
@click.pass_obj
def delete(home: str, names: tuple[str, ...], yes: bool) -> None:
    """Delete runs NAMES, for good."""
    delete_named(home, names, "run", is_asked=not yes)
