"""What tests know of the S3 server they talk to."""

from pathlib import Path
from typing import NamedTuple

KEY = "tests-access-key"
SECRET = "tests-secret-key"


class Bucket(NamedTuple):
    """A place in a bucket as its server keeps it, and as others reach it."""

    folder: Path
    uri: str

    @property
    def files(self):
        """Its objects, by name."""
        return {
            path.relative_to(self.folder).as_posix(): path for path in sorted(self.folder.rglob("*")) if path.is_file()
        }

    def one(self, part):
        """The file of the one object whose name holds this."""
        (path,) = (path for name, path in self.files.items() if part in name)
        return path


def flip(path, place=200):
    """Damage a byte of a file, as a disk would."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
