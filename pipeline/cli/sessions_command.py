"""`tape sessions`: what is in the store."""

import time
from pathlib import Path
from typing import Any, Final

import click

from pipeline.cli.show import as_json_line, counted, facts, json_option, said_safely


@click.group("sessions")
def command() -> None:
    """List, show, seal, export, delete and prune sessions; see and clear what is kept to read them fast."""


@command.command("list")
@json_option
@click.pass_obj
def list_(home: str, as_json: bool) -> None:
    """One line a session, oldest first."""
    list_logs(home, "session", as_json=as_json)


@command.command()
@click.argument("name", default="last")
@json_option
@click.pass_obj
def show(home: str, name: str, as_json: bool) -> None:
    """The manifest of a session or run NAME."""
    show_manifest(home, name, as_json=as_json)


@command.command()
@click.argument("name", default="last")
@click.pass_obj
def seal(home: str, name: str) -> None:
    """Turn the journal of a session NAME into Parquet; one that its recorder left open, since it was killed, ends where it stopped."""
    from pipeline.errors import ConfigError
    from pipeline.log import seal as sealing
    from pipeline.run.continuing import end

    store = _store(home)
    manifest = store.find_one(name)
    if not manifest.is_closed:
        if manifest.what == "run":
            raise ConfigError(f"{manifest.id} was never finished: delete it, and replay its session again")
        end(store, manifest)
        rest = ", without the rest of its files" if manifest.mode.value == "import" else ""
        click.echo(f"{manifest.id}: nobody records it any more, so it ends where it stopped{rest}")
    held = store.lock(manifest.id)
    try:
        sealed = sealing.seal(store.folder(manifest.id), store.disk)
    finally:
        held.release()
    size = sum(part.size for part in sealed.parts)
    click.echo(f"{sealed.id}: sealed, {sum(sealed.kinds.values()):,} rows in {size:,} bytes")


@command.command()
@click.argument("name")
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_obj
def export(home: str, name: str, target: Path) -> None:
    """A copy of NAME that stands alone, in the folder TARGET: Parquet, manifest, code."""
    from pipeline.log.export import export as exported

    store = _store(home)
    click.echo(f"{store.find_one(name).id}: exported to {exported(store, store.find_one(name).id, target)}")


@command.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.pass_obj
def restore(home: str, source: Path) -> None:
    """Bring an export SOURCE into this store, every byte verified."""
    from pipeline.log.export import bring_in

    click.echo(f"{bring_in(_store(home), source).id}: restored")


@command.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="do not ask")
@click.pass_obj
def delete(home: str, names: tuple[str, ...], yes: bool) -> None:
    """Delete sessions NAMES, for good; their runs stay and can no longer be verified."""
    delete_named(home, names, "session", is_asked=not yes)


@command.command()
@click.option("--keep", type=click.IntRange(0), help="how many of the newest to keep")
@click.option("--older", metavar="DURATION", help="delete what was made longer ago, e.g. 30d")
@click.option("--yes", is_flag=True, help="do not ask")
@click.pass_obj
def prune(home: str, keep: int | None, older: str | None, yes: bool) -> None:
    """Delete old sessions; those being recorded stay."""
    from pipeline.config import duration_ns

    before_ns = time.time_ns() - duration_ns(older) if older else None
    if keep is None and before_ns is None:
        raise click.UsageError("say --keep COUNT or --older DURATION; nothing was deleted")
    if not yes:
        click.confirm(f"prune the sessions of {home}?", abort=True)
    _tell(_store(home).prune(keep=keep, created_before_ns=before_ns))


@command.command()
@click.option("--clear", is_flag=True, help="delete all of it; the next replays make it again")
@json_option
@click.pass_obj
def cache(home: str, clear: bool, as_json: bool) -> None:
    """The decoded columns that a replay leaves for the next one, least recently used first, and its waypoints.

    Columns take 20 GiB or a tenth of the free disk, whichever is less, waypoints (tape state) 2 GiB; TAPE_HOT_GIB and
    TAPE_TRAILS_GIB say otherwise, 0 is none.
    """
    from pipeline.log import hot, trail
    from pipeline.log.cache import key_of, limit_bytes

    store = _store(home)
    found, limit = hot.entries(store), limit_bytes(store.home) if store.home.is_dir() else 0
    trails = sum(entry.size for entry in trail.entries(store.home))
    freed = hot.clear(store) + trail.clear(store.home) if clear else 0
    names = {key_of(manifest): manifest.id for manifest in store.sessions() if manifest.state == "sealed"}
    lines = [{"session": names.get(entry.key, ""), "key": entry.key, "bytes": entry.size} for entry in found]
    if as_json:
        as_json_line({"entries": lines, "limit_bytes": limit, "trails_bytes": trails, "freed_bytes": freed})
        return
    for line in lines:
        click.echo(f"{line['session'] or 'a session that is gone':<40} {line['bytes']:>16,} bytes")
    total = sum(entry.size for entry in found)
    fate = "deleted" if clear else "deleting them loses nothing: --clear"
    click.echo(f"{total:,} of {limit:,} bytes, {fate}" if found else f"nothing is kept; {limit:,} bytes may be")
    if trails:
        click.echo(f"{trails:,} bytes of waypoints, {fate}")


def show_manifest(home: str, name: str, *, as_json: bool) -> None:
    """Print what a manifest says."""
    store = _store(home)
    manifest = store.find_one(name)
    if as_json:
        as_json_line(manifest)
        return
    from pipeline.units import iso_from_ns

    size = sum(part.size for part in manifest.parts)
    facts(
        [
            ("id", manifest.id),
            ("state", f"{manifest.state}, {_MADE[manifest.mode.value]}"),
            ("session", manifest.parents),
            ("runs", [run.id for run in store.runs() if manifest.id in run.parents]),
            ("inputs", _inputs(manifest)),
            ("derived", f"{manifest.derived:,}"),
            ("kinds", counted(manifest.kinds)),
            ("from", iso_from_ns(manifest.first_ts_ns) if manifest.first_ts_ns else ""),
            ("to", iso_from_ns(manifest.last_ts_ns) if manifest.last_ts_ns else ""),
            ("refused", f"{manifest.refused:,}" if manifest.what == "session" else ""),
            ("files", [file["name"] for file in manifest.settings.get("files", ())]),
            ("strategies", [_with_params(entry) for entry in manifest.strategies] or "none"),
            ("sealed", f"{size:,} bytes in {len(manifest.parts)} files" if size else "no"),
            ("decisions", manifest.decisions_hash),
            ("code", manifest.code_hash),
            ("packages", ", ".join(f"{package} {version}" for package, version in manifest.packages.items())),
        ]
    )


_MADE: Final = {
    "live": "recorded live",
    "paper": "recorded, orders simulated",
    "import": "imported from files",
    "verify": "folded again",
    "replay": "replayed",
}


def _inputs(manifest: Any) -> str:
    """How many a session holds, or how far a run went."""
    return f"{manifest.inputs:,}" if manifest.what == "session" else f"up to seq {manifest.settings['to_seq']:,}"


def _with_params(entry: Any) -> str:
    return " ".join([entry.name, *(f"{name}={value}" for name, value in entry.params.items())])


def delete_named(home: str, names: tuple[str, ...], what: str, *, is_asked: bool) -> None:
    """Delete what the names mean, each looked up before anything goes; an exact id need not be readable.

    The beginning of an id is not enough: it might begin another one tomorrow.
    """
    from pipeline.errors import NotFoundError

    store = _store(home)
    ids = [id_ for name in names for id_ in ([name] if _is_there(store, name) else [m.id for m in store.find(name)])]
    for name in (name for name in names if not _is_there(store, name)):
        if begun := [id_ for id_ in ids if id_.startswith(name)]:
            raise NotFoundError(f"{name} only begins {', '.join(begun)}: write the whole id; nothing was deleted")
    if wrong := [id_ for id_ in ids if id_.startswith("r-") is not (what == "run")]:
        raise NotFoundError(f"{wrong[0]} is no {what}; nothing was deleted")
    if is_asked:
        click.confirm(f"delete {', '.join(ids)}?", abort=True)
    for id_ in ids:
        _tell(store.delete(id_))


def _is_there(store: Any, name: str) -> bool:
    from pipeline.errors import ConfigError

    try:
        return bool(store.folder(name).is_dir())
    except ConfigError:
        return False  # no id, so perhaps words: `last 3`


def _store(home: str) -> Any:
    from pipeline.log.store import Store

    return Store(Path(home))


def list_logs(home: str, what: str, *, as_json: bool) -> None:
    """One line a log, those that can't be read last: their reason instead of their facts."""
    from pipeline.log.arriving import mark_of, told_of

    store = _store(home)
    manifests = store.sessions() if what == "session" else store.runs()
    unreadable = {
        id_: str(error) for id_, error in store.unreadable().items() if id_.startswith("r-") is (what == "run")
    }
    lines = [_line(store, manifest) for manifest in manifests]
    if as_json:
        as_json_line({f"{what}s": lines, "unreadable": unreadable})
        return
    if not lines and not unreadable:
        first = "`tape demo` or `tape import FILE` makes the first session"
        if mark_of(Path(home)):
            home, first = told_of(Path(home)), "`tape push` puts finished sessions there"
        click.echo(f"nothing in {home} yet: {first}")
    width = max(map(len, [*(line["id"] for line in lines), *unreadable]), default=0)
    for line, manifest in zip(lines, manifests, strict=True):
        told = f"{line['derived']:>10,} derived  {line['first_ts'][:19]:<19}"
        if what == "session":
            told = f"{line['inputs']:>12,} inputs{told}  {', '.join(entry.name for entry in manifest.strategies)}"
        else:  # runs of one session differ by their parameters
            told = f"{told}  {line['strategies']}"
        click.echo(f"{line['id']:<{width}}  {line['state']:<9}{said_safely(told)}".rstrip())
    for id_, reason in unreadable.items():
        click.echo(f"{id_:<{width}}  DAMAGED   {said_safely(reason)}")


def _line(store: Any, manifest: Any) -> dict[str, Any]:
    from pipeline.log.reader import LogReader
    from pipeline.units import iso_from_ns

    inputs = manifest.inputs
    if manifest.state == "open" and manifest.what == "session":
        inputs = LogReader(store.folder(manifest.id)).last_seq
    return {
        "id": manifest.id,
        "state": manifest.state,
        "inputs": inputs,
        "derived": manifest.derived,
        "first_ts": iso_from_ns(manifest.first_ts_ns) if manifest.first_ts_ns else "",
        "strategies": ", ".join(map(_with_params, manifest.strategies)),
    }


def _tell(removed: Any) -> None:
    click.echo(f"deleted: {', '.join(removed.deleted) or 'nothing'}")
    if removed.held:
        click.echo(f"left alone, being recorded: {', '.join(removed.held)}")
    if removed.orphans:
        click.echo(f"runs without their session now: {', '.join(removed.orphans)}")
