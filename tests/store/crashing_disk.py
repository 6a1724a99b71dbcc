"""A real folder under a disk that dies at the Nth call, and then shows what a power cut would have left.

What was not synced is undone in the worst allowed way, chosen by a seed: content of an unsynced file is cut at any byte
or lost to zeros; a rename, creation or removal whose folder was not synced may or may not have happened, each for itself.
"""

import random
import shutil
from pathlib import Path

from pipeline.log.disk import RealDisk

COUNTED = ("create", "write", "sync", "rename", "unlink", "make_folder", "sync_folder")


class Died(BaseException):
    """The power is gone. No `except Exception` may outlive it."""


class CrashingDisk(RealDisk):
    def __init__(self, dies_at: int | None = None) -> None:
        self.calls: list[str] = []
        self._dies_at = dies_at
        self._paths: dict[int, Path] = {}
        self._unsynced: set[Path] = set()
        self._names: dict[Path, list] = {}  # per folder: how to undo each change of a name, oldest first
        self._shadow_count = 0

    def power_cut(self, seed: int) -> None:
        """Undo what was not durable."""
        chance = random.Random(seed)
        for path in sorted(self._unsynced):
            if path.exists():
                content = path.read_bytes()
                cut = chance.randrange(len(content) + 1)
                path.write_bytes(content[:cut] + bytes(chance.choice([0, len(content) - cut])))
        for undos in self._names.values():
            for undo in reversed(undos):
                if chance.random() < 0.5:
                    undo()

    def create(self, path):
        self._count("create", path)
        fd = super().create(path)
        self._paths[fd] = path
        self._unsynced.add(path)
        self._changed(path.parent, lambda: path.unlink(missing_ok=True))
        return fd

    def reopen(self, path):
        fd = super().reopen(path)
        self._paths[fd] = path
        return fd

    def write(self, fd, content):
        self._count("write", self._paths[fd])
        self._unsynced.add(self._paths[fd])
        super().write(fd, content)

    def sync(self, fd):
        self._count("sync", self._paths[fd])
        super().sync(fd)
        self._unsynced.discard(self._paths[fd])

    def rename(self, source, target):
        self._count("rename", target)
        replaced = self._kept(target)
        super().rename(source, target)
        self._paths = {fd: target if path == source else path for fd, path in self._paths.items()}
        if source in self._unsynced:
            self._unsynced = (self._unsynced - {source}) | {target}

        def undo():
            if target.exists():
                target.replace(source)
            if replaced:
                shutil.copyfile(replaced, target)

        self._changed(target.parent, undo)

    def unlink(self, path):
        self._count("unlink", path)
        kept = self._kept(path)
        super().unlink(path)
        self._changed(path.parent, lambda: kept and not path.exists() and shutil.copyfile(kept, path))

    def make_folder(self, path):
        self._count("make_folder", path)
        super().make_folder(path)

    def sync_folder(self, path):
        self._count("sync_folder", path)
        super().sync_folder(path)
        self._names.pop(path, None)

    def _count(self, verb, path):
        if self._dies_at is not None and len(self.calls) >= self._dies_at:
            raise Died
        self.calls.append(f"{verb} {path.name}")

    def _changed(self, folder, undo):
        self._names.setdefault(folder, []).append(undo)

    def _kept(self, path):
        if not path.exists():
            return None
        self._shadow_count += 1
        shadow = path.parents[3].parent / f"shadow-{id(self)}-{self._shadow_count}"
        shutil.copyfile(path, shadow)
        return shadow
