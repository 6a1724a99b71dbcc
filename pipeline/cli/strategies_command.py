"""`tape strategies`: those that come along."""

import click


@click.command("strategies")
def command() -> None:
    """List the strategies that come along, with their parameters.

    \b
    tape strategies
    """
    from pipeline.run.loading import load_strategy
    from pipeline.run.strategies import shipped, strategy_file

    for name in shipped():
        strategy = load_strategy(strategy_file(name))
        click.echo(f"{name}")
        for line in strategy.Params.describe():
            click.echo(f"    {line}")
