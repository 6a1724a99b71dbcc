"""`tape studies`: what searches for parameters kept."""

import click

from pipeline.cli.optimize_command import show_trials
from pipeline.cli.searching import home_of, named
from pipeline.cli.show import as_json_line, facts, json_option


@click.group("studies")
def command() -> None:
    """List, show and delete what `tape optimize` and `tape walkforward` kept of their trials."""


@command.command("list")
@json_option
@click.pass_obj
def list_(home: str, as_json: bool) -> None:
    """One line a study, oldest first."""
    from pipeline.log.studies import batches_by_study

    found = [(asked, sum(len(each.trials) for each in batches)) for asked, batches in batches_by_study(home_of(home))]
    if as_json:
        as_json_line({"studies": [{"id": asked.id, "trials": count} for asked, count in found]})
        return
    width = max((len(asked.id) for asked, _ in found), default=0)
    for asked, count in found:
        axes = ", ".join(f"{name} {values[0]}..{values[-1]}" for name, values in asked.axes.items())
        click.echo(
            f"{asked.id:<{width}}  {count:>9,} trials  {len(asked.sessions):,} sessions  {asked.objective}  {axes}"
        )


@command.command()
@click.argument("name", default="last")
@click.option("--show", "shown", type=click.IntRange(0), default=20, show_default=True, help="trials to print")
@json_option
@click.pass_obj
def show(home: str, name: str, shown: int, as_json: bool) -> None:
    """What was asked in study NAME, and its best trials; what to think of them says the same `tape optimize` again."""
    from pipeline.log.studies import Trials, find_study

    store = home_of(home)
    asked = find_study(store, name)
    trials = [trial for batch in Trials(store, asked.id).batches() for trial in batch.trials]
    if as_json:
        as_json_line({"asked": asked, "trials": trials})
        return
    facts(
        [
            ("id", asked.id),
            ("trials", f"{len(trials):,}, by {asked.batch:,}, seed {asked.seed}"),
            ("objective", f"{asked.objective}, of {asked.trades_min:,} trades or more"),
            ("strategies", asked.strategies),
            (
                "searched",
                [f"{name}={values[0]}..{values[-1]}, {len(values):,} values" for name, values in asked.axes.items()],
            ),
            ("params", named(asked.params)),
            ("settings", named(asked.settings)),
            ("sessions", ", ".join(asked.sessions)),
            ("sampler", asked.sampler),
            ("code", asked.code_hash),
        ]
    )
    if trials:
        show_trials(trials, shown)


@command.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="do not ask")
@click.pass_obj
def delete(home: str, names: tuple[str, ...], yes: bool) -> None:
    """Delete studies NAMES, for good; the backtests that they were made of stay."""
    from pipeline.log.studies import Trials, find_study

    store = home_of(home)
    ids = list(dict.fromkeys(find_study(store, name).id for name in names))
    if not yes:
        click.confirm(f"delete {', '.join(ids)}?", abort=True)
    for id_ in ids:
        Trials(store, id_).delete()
    click.echo(f"deleted: {', '.join(ids)}")
