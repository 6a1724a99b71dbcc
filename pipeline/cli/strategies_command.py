"""`tape strategies`: those that come along."""

import click


@click.command("strategies")
def command() -> None:
    """List the strategies that come along, with their parameters."""
    from pipeline.core.params import specs_of  # noqa: PLC0415 - `tape --help` need not wait for the engine
    from pipeline.run.fold import load_strategy  # noqa: PLC0415 - same
    from pipeline.run.strategies import shipped, strategy_file  # noqa: PLC0415 - same

    for name in shipped():
        strategy = load_strategy(strategy_file(name))
        click.echo(f"{name}")
        for spec in specs_of(strategy.Params):
            click.echo(f"    {spec.name}={spec.default}  {spec.help} ({spec.accepted})")
