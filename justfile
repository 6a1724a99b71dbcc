# `just` alone runs everything CI runs. Each recipe sets up what it needs.

python := if os_family() == "windows" { ".venv/Scripts/python" } else { ".venv/bin/python" }

# lint, types, layers, tests
default: lint types layers test

# .venv with exactly what requirements.lock names, made anew only when that or pyproject.toml changed
setup:
    #!/usr/bin/env python3
    import hashlib, pathlib, subprocess, sys, venv
    stamp = pathlib.Path(".venv/tape-setup")
    want = hashlib.sha256(pathlib.Path("requirements.lock").read_bytes() + pathlib.Path("pyproject.toml").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == want:
        sys.exit()
    print("setting up .venv from requirements.lock (some minutes the first time) ...", flush=True)
    venv.create(".venv", with_pip=True)
    pip = [next(str(p) for p in map(pathlib.Path, (".venv/bin/python", ".venv/Scripts/python.exe")) if p.exists()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", "requirements.lock"], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", "."], check=True)
    stamp.write_text(want)

# the main job in a minute: record a market of our own live, prove it identical, ask it, report it
demo: setup
    {{python}} -m pipeline.cli demo

# the tests, on all cores, neighbours on the same one for what they share; arguments go to pytest: just test -k 'frames or clocks'
[positional-arguments]
test *args: setup
    {{python}} -m pytest -n auto --dist worksteal "$@"

# the long runs that the normal test run leaves out
[positional-arguments]
soak *args: setup
    {{python}} -m pytest -m soak --timeout 7200 "$@"

# power cuts, kills and errors on a simulated disk, from the seed at which the last stint ended: just crash --seeds 100000
[positional-arguments]
crash *args: setup
    {{python}} tests/trials crash "$@"

# real writers on this disk, each killed with SIGKILL at a moment of its seed, from where the last stint ended: just kill --seeds 500
[positional-arguments]
kill *args: setup
    {{python}} tests/trials kill "$@"

# broken messages for every decoder, or for those named, from where the last stint ended: just fuzz massive --minutes 60
[positional-arguments]
fuzz *args: setup
    {{python}} tests/trials fuzz "$@"

# orders at a broker where everything goes wrong, from where the last stint ended: just episodes --seeds 10000
[positional-arguments]
episodes *args: setup
    {{python}} tests/trials episodes "$@"

# a recording of half an hour at 20,000 messages a second, or of hours by a faster clock: just recording --minutes 480 --speed 16
[positional-arguments]
recording *args: setup
    {{python}} tests/trials recording "$@"

# safety rules taken out of a copy one by one: the tests named beside each must fail: just mutants risk
[positional-arguments]
mutants *args: setup
    {{python}} tests/trials mutants "$@"

# the vendors' own clients against the simulator, each in an environment of its own
[positional-arguments]
clients *args: setup
    {{python}} -m pytest -m clients "$@"

# style, as errors
lint: setup
    {{python}} -m ruff check .
    {{python}} -m ruff format --check .

# rewrite what the formatter and the safe fixes can
format: setup
    {{python}} -m ruff check --fix .
    {{python}} -m ruff format .

# mypy, strict
types: setup
    {{python}} -m mypy

# imports point one way
layers: setup
    {{parent_directory(python)}}/lint-imports

# ratios against limits measured in the same run
[positional-arguments]
bench *args: setup
    {{python}} -m benchmarks "$@"

# the same sessions under every Python found here, with the lowest and the newest packages: just matrix 3.12
[positional-arguments]
matrix *args: setup
    {{python}} -m matrix "$@"

# the pages that are written from the code, then all of them as a site without a network: site/index.html
docs: setup
    {{python}} -m pipeline.cli docs docs
    NO_MKDOCS_2_WARNING=1 {{python}} -m mkdocs build --strict --quiet

# requirements.lock from pyproject.toml, with hashes and without addresses
lock: setup
    {{python}} -m uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet --output-file requirements.lock
