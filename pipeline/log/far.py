"""Far: a store beyond this machine: objects under a URI, none of which counts before the manifest that names it.

    sessions/<id>/events/kind=quote/part-00001-<hash>.parquet    sealed parts, as they are
    sessions/<id>/code/<hash>.json                               the sources that were kept, one object
    sessions/<id>/manifest-<log id>-<hash>.json                  last: from here on there is a session
    sessions/<id>/pushing-<log id>-<push>                        of each push, while it looks whether its manifest may come
    runs/<id>/...                                                the same

The hash in a name (16 digits of blake3) is of what it holds: whoever writes a name writes the same bytes, so two that
push one session do each other no harm, and what was read once never goes stale.

An object is there whole or not at all. What completes an upload is to close its stream, which every way of dropping one
does, an exception included. So a stream that is given up is kept, open, until the process is gone. On a mounted path a
file gets its name when all of it is durable.
"""

import contextlib
import ctypes
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from blake3 import blake3

from pipeline.errors import ConfigError, CorruptError, FarError
from pipeline.log.disk import TEMPORARY, RealDisk
from pipeline.log.manifest import Manifest, SealedPart

T = TypeVar("T")

AT_ONCE: Final = 8
"""Objects on their way at one time."""

CHUNK_BYTES: Final = 8 << 20
"""Read and written at a time."""

SMALL_BYTES_MAX: Final = 64 << 20
"""Of a manifest, or of the sources of a log: a hundred times what the largest have."""

HASH_CHARS: Final = 16

_TRIES: Final = 5
"""Of a request to S3, ever longer apart, until it has failed."""

_OPTIONS: Final = {
    "file": frozenset[str](),
    "s3": frozenset(("region", "scheme", "endpoint_override")),
    "gs": frozenset(("scheme", "endpoint_override", "project_id")),
    "abfs": frozenset(("blob_storage_authority", "dfs_storage_authority", "enable_tls")),
}
"""What may be asked behind the `?` of a URI, by its scheme: nothing that is a secret."""
_ALSO: Final = {"gcs": "gs", "abfss": "abfs"}
"""Schemes of another spelling."""
_OPTION: Final = re.compile(r"[a-z_]{1,24}", re.ASCII)

_PART: Final = re.compile(r"events/kind=([a-z0-9_]+)/([A-Za-z0-9][A-Za-z0-9_-]*)\.parquet", re.ASCII)
_MANIFEST: Final = re.compile(
    r"(sessions|runs)/([a-z0-9][a-z0-9_-]{0,63})/manifest-([0-9a-f]{32})-[0-9a-f]{16}\.json", re.ASCII
)
_CLAIM: Final = re.compile(r"(?:sessions|runs)/[a-z0-9_-]{1,64}/pushing-([0-9a-f]{32})-[0-9a-f]{16}", re.ASCII)


class Object(NamedTuple):
    """What a listing says of one."""

    size: int
    """Bytes."""
    written_ns: int
    """When it was completed, by the clock of the store; 0 where that is not told."""


def shown(home: str) -> str:
    """A store's name as anybody may read it: a folder as it is, of a URI neither who asks with which key nor what is behind a `?`.

    A key may hold a `/` or a `?`, at which a URI is cut: so where there is one, all of the URI but its scheme is left out.
    """
    scheme, found, rest = home.partition("://")
    if not found:
        scheme, found, rest = home.partition(":")  # slashes too few
        if not found or scheme not in {*_OPTIONS, *_ALSO}:
            return home
    place = re.split(r"[?#]", rest, maxsplit=1)[0]
    authority = place.partition("/")[0]
    if not authority and scheme != "file":  # a slash too many: who asks stands where the path begins
        authority = place
    has_key = ":" in authority or ("@" in authority and scheme not in ("abfs", "abfss"))
    return f"{scheme}://..." if has_key else f"{scheme}://{place.rstrip('/')}"


class Far:
    """The objects under a URI. Opening one asks nothing of anybody; what it is asked raises FarError."""

    def __init__(self, uri: str) -> None:
        """Raises ConfigError for a URI that is none, of a scheme that is not known, or with a secret in it."""
        try:
            parts = urlsplit(uri)
        except ValueError:  # whose text may quote a key
            raise ConfigError(f"{shown(uri)}: it is no URI") from None
        self.scheme: Final = _ALSO.get(parts.scheme, parts.scheme)
        if self.scheme not in _OPTIONS:
            known = ", ".join(f"{name}://" for name in sorted(_OPTIONS))
            raise ConfigError(f"{parts.scheme}://: accepted are {known}")
        self.place: Final = shown(f"{parts.scheme}://{parts.netloc}{parts.path}")
        """The URI without what is asked behind it, for people."""
        if self.place.endswith("://..."):
            raise ConfigError(
                f"{self.place}: a secret in a URI stays in the shell's history; keys come from the environment"
            )
        if "#" in uri:
            raise ConfigError(
                f"{self.place}#...: no store is asked for what is behind a #; in a path of file:// it is %23"
            )
        self._options: Final = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name in self._options.keys() - _OPTIONS[self.scheme]:
            accepted = ", ".join(sorted(_OPTIONS[self.scheme])) or "nothing"
            said = (
                f"{name}=..." if _OPTION.fullmatch(name) else "..."
            )  # a key may have been written there, with no name
            raise ConfigError(f"{self.place}?{said}: accepted there is {accepted}; keys come from the environment")
        for name, value in self._options.items():
            if "@" in value:
                raise ConfigError(
                    f"{self.place}?{name}=...: a secret in a URI stays in the shell's history; keys come from the environment"
                )
        if self.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
            raise ConfigError(f"{self.place}: a mounted path has three slashes: file:///{parts.netloc}{parts.path}")
        if self.scheme != "file" and not parts.netloc:
            raise ConfigError(f"{self.place}: write {parts.scheme}://BUCKET/PATH")
        self._root: Final = unquote(parts.path) if self.scheme == "file" else f"{parts.netloc}{parts.path}".rstrip("/")
        endpoint = self._options.get("endpoint_override") or _endpoint_told() if self.scheme == "s3" else ""
        self.identity: Final = f"{endpoint} {self.place}?{parts.query}"
        """Which store it is: one bucket's name is another's, asked at another endpoint."""
        self.uri: Final = self.place + (f"?{parts.query}" if parts.query else "")

    def listed(self, under: str) -> dict[str, Object]:
        """All objects whose names begin with these folders, by name; those that are on their way are none."""
        from pyarrow import fs  # noqa: PLC0415 - a third of a second, for those who go far

        with self._asked(under):
            infos = self._files.get_file_info(
                fs.FileSelector(f"{self._root}/{under}", recursive=True, allow_not_found=True)
            )
        if not infos:
            self._refuse_no_bucket()
        names = ((info.path.removeprefix(f"{self._root}/"), info) for info in infos if info.type is fs.FileType.File)
        return {
            name: Object(info.size, info.mtime_ns or 0)
            for name, info in names
            if not name.rpartition("/")[2].startswith(".")
        }

    def manifests(self, under: str = "") -> dict[tuple[str, str], str]:
        """The name of each log's manifest, by `sessions` or `runs` and its id. Where two logs have one id, of the first."""
        rooms = (under,) if under else ("sessions", "runs")
        found: dict[tuple[str, str], tuple[int, str]] = {}
        for name, about in (entry for room in rooms for entry in self.listed(room).items()):
            if match := _MANIFEST.fullmatch(name):
                place, entry = (match[1], match[2]), age_of(name, about)
                found[place] = min(found.get(place, entry), entry)
        return {place: name for place, (_, name) in found.items()}

    def put(self, name: str, chunks: Iterable[bytes | memoryview], check: Callable[[], None] = lambda: None) -> None:
        """An object of these chunks, whole or not at all; `check` is called behind the last one, and may refuse by raising."""
        with self._asked(name):
            if self.scheme == "file":
                self._put_file(Path(self._root, name), chunks, check)
                return
            stream = self._files.open_output_stream(f"{self._root}/{name}", buffer_size=0)
            try:
                for chunk in chunks:
                    stream.write(chunk)
                check()
                stream.close()
            except BaseException:
                _keep_open(stream)
                raise

    def read(self, name: str) -> bytes:
        """All of a small object, a manifest or sources. Raises CorruptError when there is more than those can be."""
        content = bytearray()
        for chunk in self.chunks(name):
            content += chunk
            if len(content) > SMALL_BYTES_MAX:
                raise CorruptError(
                    f"{self.place}/{name}", 0, f"more than {SMALL_BYTES_MAX} bytes; nothing of it was taken"
                )
        return bytes(content)

    def chunks(self, name: str) -> Iterator[bytes]:
        """An object's bytes, from its begin to its end."""
        with self._asked(name), self._files.open_input_stream(f"{self._root}/{name}") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk

    def drop(self, name: str) -> None:
        """Take an object away."""
        try:
            with self._asked(name):
                self._files.delete_file(f"{self._root}/{name}")
        except FarError:  # what failed may be what pyarrow does next, a mark where a folder would be empty
            if name in self.listed(name.rpartition("/")[0]):
                raise

    def _refuse_no_bucket(self) -> None:
        """A store in which nothing lies yet, and a bucket that is not there, are listed alike."""
        from pyarrow import fs  # noqa: PLC0415 - as above

        bucket = self._root.partition("/")[0]
        if self.scheme == "file":
            return
        with contextlib.suppress(OSError):  # who may list objects need not be allowed to look at buckets
            if self._files.get_file_info(bucket).type is fs.FileType.NotFound:
                raise FarError(f"{self.place}: there is no bucket {bucket}")

    @cached_property
    def _files(self) -> Any:
        from pyarrow import fs  # noqa: PLC0415 - as above

        if self.scheme == "file":
            if not Path(self._root).is_dir():
                raise FarError(f"{self.place}: no such folder; is it mounted?")
            return fs.LocalFileSystem()
        if self.scheme == "s3":
            return _s3(self._root.partition("/")[0], self._options)
        return fs.FileSystem.from_uri(self.uri)[0]

    @contextlib.contextmanager
    def _asked(self, name: str) -> Iterator[None]:
        """Whatever the store or the way to it says is one line that begins with where."""
        import pyarrow as pa  # noqa: PLC0415 - as above

        try:
            yield
        except (OSError, pa.ArrowException) as error:
            said = " ".join(str(error).split())[:400]
            hint = "; keys come from the environment" if "ACCESS_DENIED" in said or "credentials" in said else ""
            raise FarError(f"{self.place}/{name}: {said}{hint}") from error

    def _put_file(self, path: Path, chunks: Iterable[bytes | memoryview], check: Callable[[], None]) -> None:
        """Two may write one name: each has a file of its own until it is whole, and both files are the same."""
        _ = self._files  # says that nothing is mounted there, before a folder is made in its place
        disk = RealDisk()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}{TEMPORARY}")
        fd = disk.create(temporary)
        try:
            try:
                for chunk in chunks:
                    disk.write(fd, chunk)
                check()
                disk.sync(fd)
            finally:
                os.close(fd)
            os.utime(temporary)  # its age is from when it is seen, not from when the disk had taken it
            disk.rename(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        disk.sync_folder(path.parent)


def _s3(bucket: str, options: dict[str, str]) -> Any:
    """The file system of a bucket, with the keys of the environment."""
    from pyarrow import fs  # noqa: PLC0415 - as above

    endpoint, scheme = options.get("endpoint_override"), options.get("scheme", "https")
    told = _endpoint_told()
    if told and "@" in told:
        raise ConfigError(
            "AWS_ENDPOINT_URL: no key goes into an endpoint; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are for it"
        )
    if endpoint is None and told:
        parts = urlsplit(told)
        endpoint, scheme = parts.netloc, parts.scheme
    if scheme not in ("http", "https") or endpoint == "":
        raise ConfigError(f"{told or scheme}: an endpoint of S3 is https://HOST, or http://HOST where that is meant")
    region = options.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if endpoint:
        # Other servers than Amazon's may not know checksums that trail the body; ours are stronger, and are looked at.
        os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    else:
        region = region or fs.resolve_s3_region(bucket)
    return fs.S3FileSystem(
        region=region,
        scheme=scheme,
        endpoint_override=endpoint,
        connect_timeout=10,
        request_timeout=60,  # without a byte: a server under load is slow, not gone
        allow_delayed_open=True,  # a small object is one request, not three
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_TRIES),
    )


def _endpoint_told() -> str:
    """The endpoint that the environment says, '' for none."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""


def _keep_open(stream: object) -> None:
    """Never close a stream, not even when Python ends: then nothing completes what was given up."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(stream))


def several(name: str, move: Callable[[T, Event], object], items: Iterable[T]) -> None:
    """Move items, `AT_ONCE` at a time, each told by an event that nobody waits for it any more.

    Raises what the first of them that can't be moved raises; those not begun are left out.
    """
    is_over = Event()
    with ThreadPoolExecutor(AT_ONCE, name) as pool:
        going = [pool.submit(move, item, is_over) for item in items]
        try:
            for each in as_completed(going):
                each.result()
        except BaseException:
            is_over.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def unless(is_over: Event, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same chunks, as long as somebody waits for them. Raises FarError."""
    for chunk in chunks:
        if is_over.is_set():
            raise FarError("given up on the way")
        yield chunk


def digest_of(content: bytes) -> str:
    """The hash that stands in the name of an object with this content."""
    return str(blake3(content).hexdigest()[:HASH_CHARS])


def folder_of(of: Manifest) -> str:
    """Where a log's objects lie."""
    return f"{of.what}s/{of.id}"


def part_name(of: Manifest, part: SealedPart) -> str:
    """The object of a sealed part. Raises CorruptError when the part does not lie where sealing puts it."""
    match = _PART.fullmatch(part.file)
    if match is None or match[1] != part.kind:
        raise CorruptError(part.file, 0, f"a part of this kind lies under events/kind={part.kind}/")
    return f"{folder_of(of)}/{part.file.removesuffix('.parquet')}-{part.blake3[:HASH_CHARS]}.parquet"


def code_name(of: Manifest) -> str:
    """The object of a log's sources."""
    return f"{folder_of(of)}/code/{of.code_hash[:HASH_CHARS]}.json"


def manifest_name(of: Manifest, content: bytes) -> str:
    """The object that makes it a log."""
    return f"{folder_of(of)}/manifest-{of.log_id}-{digest_of(content)}.json"


def claim_name(of: Manifest, push: str) -> str:
    """The object that says which log is about to come; `push` are 16 digits that no other push has."""
    return f"{folder_of(of)}/pushing-{of.log_id}-{push}"


def claimed_by(name: str) -> str:
    """The log that an object is the claim of; empty when it is none."""
    match = _CLAIM.fullmatch(name)
    return match[1] if match else ""


def age_of(name: str, about: Object) -> tuple[int, str]:
    """What orders manifests of one id, whoever looks: the smallest is the first, and counts."""
    return about.written_ns, name


def log_id_in(name: str) -> str:
    """The log that a manifest's object is of; empty when the object is none."""
    match = _MANIFEST.fullmatch(name)
    return match[3] if match else ""
