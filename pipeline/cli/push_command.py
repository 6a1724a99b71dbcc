"""`tape push`: finished sessions and runs into an object store."""

from pathlib import Path

import click

from pipeline.cli.show import as_json_line, bytes_passing, json_option


@click.command("push")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--to", "uri", required=True, envvar="TAPE_FAR", show_envvar=True, help="the store, e.g. s3://bucket/path"
)
@click.option("--again", is_flag=True, help="write what is there, too: for an object that was damaged there")
@json_option
@click.pass_obj
def command(home: str, names: tuple[str, ...], uri: str, again: bool, as_json: bool) -> None:
    """Put sealed sessions and runs NAMES into the object store URI, with the session of each run.

    A session is seen there when all of it is there. What is there already is left out, so an interrupted push goes on
    where it was; two that push the same do each other no harm. Keys come from the environment.

    \b
    tape push last --to s3://bucket/tape
    tape push all --to file:///mnt/archive
    """
    from pipeline.log.far import Far
    from pipeline.log.pushing import push
    from pipeline.log.store import Store

    store, far = Store(Path(home)), Far(uri)
    logs = {log.id: log for name in names for log in store.find(name)}
    parents = {parent: store.manifest(parent) for log in logs.values() for parent in log.parents}
    total = sum(part.size for log in {**parents, **logs}.values() for part in log.parts)
    done = []
    with bytes_passing("pushing", total) as arrived:
        for id_ in {**parents, **logs}:
            done.append(push(store, id_, far, again=again, arrived=arrived))
            if not as_json:
                each = done[-1]
                was = f"{each.objects} objects, {each.bytes:,} bytes" if each.objects else "there already"
                click.echo(f"{each.id}: {was}")
    if as_json:
        as_json_line({"to": far.place, "pushed": [each._asdict() for each in done]})
