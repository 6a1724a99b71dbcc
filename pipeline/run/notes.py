"""Notes: remarks of a person, in the session while it is recorded, else in the store's own small log."""

from typing import Final

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.errors import ConfigError, NotFoundError, VenueError
from pipeline.log.frames import FrameKind
from pipeline.log.journal import small_journal
from pipeline.log.store import Store
from pipeline.run.control import Request, ask
from pipeline.run.telling import LAST, recorded_last

TEXT_CHARACTERS_MAX: Final = 4_000
TAG_CHARACTERS_MAX: Final = 100


def remark(store: Store, name: str, text: str, *, tag: str, now_ns: int, about: tuple[int, int] | None = None) -> str:
    """Write the remark where it belongs, durably; a sentence that says where. `last` is what is being recorded, if anything is.

    `about`: the `seq` and `ord` of the row it is about; such a remark is made looking back, and stands in the store's own log.
    Raises ConfigError for a text that is too long, empty, or no text, NotFoundError, LockedError when another note is being written,
    OperatorError when the session refuses it.
    """
    if not text.strip():
        raise ConfigError("the note is empty: accepted are words")
    _check("the note", text, TEXT_CHARACTERS_MAX)
    _check("the note's tag", tag, TAG_CHARACTERS_MAX)
    recorded = recorded_last(store) if name.strip() == LAST else None
    manifest = recorded or store.find_one(name)
    if manifest.state == "open" and about is None:
        try:
            answer = ask(store.folder(manifest.id), Request("NOTE", target=tag, text=text))
        except NotFoundError:
            pass  # open, but its writer is gone: it was interrupted
        else:
            if not answer.ok:
                raise VenueError(f"{manifest.id}: {answer.error}")
            return f"{manifest.id}: input {answer.seq}"
    with small_journal(store.notes_folder, store.disk) as journal:
        seq = journal.written.seq + 1
        times = {"ts_event_ns": now_ns, "ts_recv_ns": now_ns}
        about_seq, about_ord = about or (0, 0)
        place = {"about_seq": about_seq, "about_ord": about_ord}
        # Not by its name alone: another session may be called so once this one is deleted.
        log = f"{manifest.id}@{manifest.log_id}"
        note = Block.of(Kind.NOTE, 1, seq=seq, **times, **place, session=log, tag=tag, text=text)
        journal.append(FrameKind.INPUTS, [note])
    return f"{manifest.id}: note {seq}"


def _check(what: str, text: str, characters_max: int) -> None:
    if len(text) > characters_max:
        raise ConfigError(f"{what} has {len(text):,} characters: accepted are up to {characters_max:,}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{what}: its character {error.start + 1:,}, {text[error.start]!a}, is none: half of a pair, or a byte that is no UTF-8"
        ) from None
