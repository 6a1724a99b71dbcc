"""`tape simulations`: what Monte Carlo kept."""

from pathlib import Path

import click

from pipeline.cli.show import as_json_line, json_option


@click.group("simulations")
def command() -> None:
    """List and delete what `tape montecarlo` kept; `tape montecarlo --again ID` walks one again."""


@command.command("list")
@json_option
@click.pass_obj
def list_(home: str, as_json: bool) -> None:
    """One line a simulation, oldest first."""
    from pipeline.log.store import Store
    from pipeline.reports.knobs import turned_on
    from pipeline.reports.simulations import simulations
    from pipeline.units import iso_from_ns

    found = simulations(Store(Path(home)))
    if as_json:
        as_json_line({"simulations": found})
        return
    for each in found:
        said = f"seed {each.asked.seed}, {', '.join(turned_on(each.asked.knobs)) or 'as recorded'}"
        where = "" if each.where == "true" else f" where {each.where}"
        click.echo(
            f"{each.id}  {iso_from_ns(each.created_ns)[:16]}Z  {each.asked.paths:>10,} paths of {each.trades:,} trades"
            f" of {', '.join(each.logs)}{where}: {said}; end profit {each.outcome.profit.mean:,.2f} in the mean"
        )


@command.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="do not ask")
@click.pass_obj
def delete(home: str, names: tuple[str, ...], yes: bool) -> None:
    """Delete simulations NAMES, for good; asked again they come out the same."""
    from pipeline.log.store import Store
    from pipeline.reports.simulations import find_simulation, forget

    store = Store(Path(home))
    ids = list(dict.fromkeys(find_simulation(store, name).id for name in names))
    if not yes:
        click.confirm(f"delete {', '.join(ids)}?", abort=True)
    for id_ in ids:
        forget(store, id_)
    click.echo(f"deleted: {', '.join(ids)}")
