"""What runs in an environment: sessions verified at one speed, a line of JSON for each, or recorded there.

`python -m matrix.worker verify HOME SPEED SESSION...`, `python -m matrix.worker record HOME DATA`.
"""

import json
import sys
from pathlib import Path

from matrix.sessions import record
from pipeline.errors import TapeError
from pipeline.log.store import Store
from pipeline.run.comparing import readable
from pipeline.run.fold import Speed
from pipeline.run.verifying import verify


def main(words: list[str]) -> None:
    verb, home, *others = words
    if verb == "record":
        record(Store(Path(home)), Path(others[0]))
        return
    speed, *names = others
    for name in names:
        try:
            verdict = verify(Store(Path(home)), name, speed=Speed(speed))
        except TapeError as error:
            print(json.dumps({"session": name, "problem": str(error)}), flush=True)
            continue
        first = verdict.first_difference
        row = (first.derived or first.recorded) if first else None
        problem = f"seq {first.seq} ord {first.ord}: {readable(first.kind, row) if row else 'nothing'}" if first else ""
        if not verdict.same_code:
            problem = "the code is another than was recorded"
        hashes = {"decisions_hash": verdict.decisions_hash, "state_hash": verdict.state_hash}
        print(json.dumps({"session": name, "problem": problem, **hashes}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
