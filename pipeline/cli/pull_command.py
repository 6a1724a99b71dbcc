"""`tape pull`: sessions and runs out of an object store."""

from pathlib import Path

import click

from pipeline.cli.show import as_json_line, bytes_passing, json_option


@click.command("pull")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--from", "uri", required=True, envvar="TAPE_FAR", show_envvar=True, help="the store, e.g. s3://bucket/path"
)
@click.option("--again", is_flag=True, help="compare what is here, too: whatever is damaged comes once more")
@json_option
@click.pass_obj
def command(home: str, names: tuple[str, ...], uri: str, again: bool, as_json: bool) -> None:
    """Bring sessions and runs NAMES out of the object store URI into this one, with the session of each run.

    Every byte is compared with its hash as it comes; a session is seen here when all of it is here. An interrupted
    pull goes on with what had come. Of a session that is here, parts that are missing or cut come once more. Keys come
    from the environment.

    \b
    tape pull last --from s3://bucket/tape
    tape sessions list
    """
    from pipeline.cli import is_far
    from pipeline.errors import ConfigError
    from pipeline.log.far import shown
    from pipeline.log.pulling import pull
    from pipeline.log.store import Store
    from pipeline.log.visiting import visit

    if is_far(home):
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
            done.append(pull(store, far_store, id_, again=again, arrived=arrived))
            if not as_json:
                each = done[-1]
                came = f"{each.bytes:,} bytes"
                was = f"here already, {came} mended" if each.bytes else "here already"
                click.echo(f"{id_}: {came if each.is_new else was}")
    if as_json:
        as_json_line({"from": shown(uri), "pulled": [each._asdict() for each in done]})
