"""Notes: remarks of a person, in the session while it is recorded, else in the store's own small log."""

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.errors import NotFoundError, VenueError
from pipeline.log.frames import FrameKind
from pipeline.log.journal import small_journal
from pipeline.log.store import Store
from pipeline.run.control import Request, ask
from pipeline.run.telling import LAST, recorded_last


def remark(store: Store, name: str, text: str, *, tag: str, now_ns: int, about: tuple[int, int] | None = None) -> str:
    """Write the remark where it belongs, durably; a sentence that says where. `last` is what is being recorded, if anything is.

    `about`: the `seq` and `ord` of the row it is about; such a remark is made looking back, and stands in the store's own log.
    Raises NotFoundError, LockedError when another note is being written, OperatorError when the session refuses it.
    """
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
        note = Block.of(Kind.NOTE, 1, seq=seq, **times, **place, session=manifest.id, tag=tag, text=text)
        journal.append(FrameKind.INPUTS, [note])
    return f"{manifest.id}: note {seq}"
