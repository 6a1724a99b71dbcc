"""`tape pull`: sessions and runs out of an object store."""

from pathlib import Path

import click

from pipeline.cli.show import as_json_line, bytes_passing, json_option


@click.command("pull")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--from", "uri", required=True, envvar="TAPE_FAR", show_envvar=True, help="the store, e.g. s3://bucket/path"
)
@json_option
@click.pass_obj
def command(home: str, names: tuple[str, ...], uri: str, as_json: bool) -> None:
    """Bring sessions and runs NAMES out of the object store URI into this one, with the session of each run.

    Every byte is compared with its hash as it comes; a session is seen here when all of it is here. An interrupted
    pull goes on with what had come. Keys come from the environment.

    \b
    tape pull last --from s3://bucket/tape
    tape sessions list
    """
    from pipeline.errors import ConfigError
    from pipeline.log.far import shown
    from pipeline.log.pulling import pull
    from pipeline.log.store import Store
    from pipeline.log.visiting import visit

    if "://" in home:
        raise ConfigError(f"{shown(home)} is a store to read from: what is pulled goes into a folder, --home FOLDER")
    store, far_store = Store(Path(home)), Store(visit(uri))
    logs = {log.id: log for name in names for log in far_store.find(name)}
    parents = {
        parent: far_store.manifest(parent)
        for log in logs.values()
        for parent in log.parents
        if far_store.folder(parent).is_dir()
    }
    wanted = {**parents, **logs}
    total = sum(part.size for log in wanted.values() for part in log.parts)
    done = []
    with bytes_passing("pulling", total) as arrived:
        for id_ in wanted:
            done.append(pull(store, far_store, id_, arrived=arrived))
            if not as_json:
                click.echo(f"{id_}: {f'{done[-1].bytes:,} bytes' if done[-1].is_new else 'here already'}")
    if as_json:
        as_json_line({"from": shown(uri), "pulled": [each._asdict() for each in done]})
