"""Which engine runs cells, as commands ask for it: `--engine`, `--address`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.run.engines import EngineChoice


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What runs the cells: `engine_name`, `address`, for `engine_asked`."""
    for option in (
        click.option(
            "--address", metavar="auto|HOST:PORT", help="a Ray cluster that runs  [default: one is started here]"
        ),
        click.option(
            "--engine",
            "engine_name",
            type=click.Choice(["processes", "ray"]),
            default="processes",
            show_default=True,
            help="what runs the cells: processes of this machine, or Ray",
        ),
    ):
        command = option(command)
    return command


def engine_asked(name: str, address: str | None, workers: int | None) -> "EngineChoice":
    """The engine that was asked for. Raises ConfigError for an address without Ray, and where Ray is not installed."""
    from pipeline.run.engines import PROCESSES
    from pipeline.run.on_ray import ray_engine

    if name == "ray":
        return ray_engine(address, workers)
    if address is not None:
        raise ConfigError(f"--address {address}: it is of a Ray cluster; add --engine ray, or leave it out")
    return PROCESSES
