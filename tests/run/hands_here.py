"""An engine that starts no process: jobs by the very function that a worker runs, where it is not the workers that are looked at."""

from pathlib import Path
from threading import Event

from pipeline.log.store import Store
from pipeline.run.cell import run_job
from pipeline.run.engines import EngineChoice
from pipeline.run.fold import Speed
from pipeline.run.worker import Ready


class HandsHere:
    """Jobs in this process, one after the other: the very function that a worker runs."""

    def __init__(self, setup):
        self.ready = Ready(Speed.INTERPRETED, "")
        self.is_over = Event()
        self._setup = setup

    def run(self, jobs):
        for job in jobs:
            yield job, run_job(Store(Path(self._setup.home)), self._setup.code, job)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_over.set()


class Here(EngineChoice, frozen=True):
    """An engine that starts no process."""

    def hands(self, setup, count, told):
        return HandsHere(setup)
