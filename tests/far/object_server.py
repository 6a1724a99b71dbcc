"""What tests know of the S3 server they talk to."""

import re
import subprocess
import sys
import threading
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pyarrow import fs

KEY = "tests-access-key"
SECRET = "tests-secret-key"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}
"""Of who has the keys."""


@contextmanager
def serving_objects(folder):
    """A real S3 server over a folder while the block runs: the folder of its bucket `tapes`, and the port it listens on."""
    binary = Path(sys.executable).with_name("rclone")
    words = [binary, "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{KEY},{SECRET}"]
    with subprocess.Popen([*words, folder], stderr=subprocess.PIPE, text=True) as process:
        try:
            found = (re.search(r"server on \[http://127\.0\.0\.1:(\d+)/\]", line) for line in process.stderr)
            port = int(next(match for match in found if match)[1])
            # What it says besides is read, too: a server whose pipe is full answers nobody.
            listening = threading.Thread(target=deque, args=(process.stderr, 0), daemon=True)
            listening.start()
            files = fs.S3FileSystem(
                access_key=KEY,
                secret_key=SECRET,
                endpoint_override=f"127.0.0.1:{port}",
                scheme="http",
                allow_bucket_creation=True,
            )
            files.create_dir("tapes")
            yield folder / "tapes", port
            process.kill()
            listening.join()
        finally:
            process.kill()


def uri_of(port, place):
    """How a place in the bucket is reached."""
    return f"s3://tapes/{place}?endpoint_override=127.0.0.1:{port}&scheme=http"


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
