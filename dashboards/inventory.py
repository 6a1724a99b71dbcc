"""Inventory: what the store holds, what its manifests say, and whether a log is still what it was."""

import pyarrow as pa
import streamlit as st

from dashboards import figures
from dashboards.data import Door
from dashboards.words import plain
from pipeline.errors import TapeError
from pipeline.log.manifest import Manifest
from pipeline.run.verifying import Verdict, verify
from pipeline.units import NANO, iso_from_ns


def listed(door: Door) -> pa.Table:
    """A row for each session and run, as `Door.logs` orders them."""
    rows = [
        {
            "id": log.id,
            "mode": log.mode.value,
            "state": log.state,
            "first_ts": log.first_ts_ns or None,
            "seconds": (log.last_ts_ns - log.first_ts_ns) / NANO / 60 if log.first_ts_ns else None,
            "count_inputs": log.inputs if log.what == "session" else None,
            "count_derived": log.derived,
            "strategies": ", ".join(entry.name for entry in log.strategies),
        }
        for log in door.logs()
    ]
    return pa.Table.from_pylist(rows, _LISTED)


_LISTED = pa.schema(
    [
        ("id", pa.string()),
        ("mode", pa.string()),
        ("state", pa.string()),
        ("first_ts", pa.timestamp("ns", "UTC")),
        ("seconds", pa.float64()),
        ("count_inputs", pa.int64()),
        ("count_derived", pa.int64()),
        ("strategies", pa.string()),
    ]
)


def told(log: Manifest) -> list[tuple[str, object]]:
    """What a manifest says, the hashes in full."""
    stretch = [iso_from_ns(ns) for ns in (log.first_ts_ns, log.last_ts_ns) if ns]
    strategies = [
        (f"strategy {entry.name}", ", ".join(f"{name}={value}" for name, value in entry.params.items()))
        for entry in log.strategies
    ]
    return [
        ("made", iso_from_ns(log.created_ns)),
        ("first and last row", " to ".join(stretch) or "none yet"),
        ("over", ", ".join(log.parents) or "-"),
        ("inputs", f"{log.inputs:,}, seq {log.first_seq:,} to {log.last_seq:,}"),
        ("decided", f"{log.derived:,}"),
        ("kinds", ", ".join(f"{name} {count:,}" for name, count in sorted(log.kinds.items()))),
        ("refused", f"{log.refused:,} messages or rows"),
        *strategies,
        ("seed", log.seed),
        ("platform", log.platform),
        ("code", log.code_hash),
        ("decisions", log.decisions_hash or "known when it ends"),
        ("state", log.state_hash or "known when it ends"),
    ]


def verdict(door: Door, log: Manifest) -> None:
    """Whether the log's inputs still give its decisions through the code it keeps: asked by a button, since it takes a while."""
    if figures.lacking(door, log):
        st.caption(plain(f"State: {log.state}. Its inputs are not here, so it can't be verified."))
        return
    key = f"verdict-{log.log_id}-{log.chain_head}"
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            "Verify", icon=":material/fact_check:", help="its inputs through the code it keeps, every row compared"
        ):
            with st.spinner("folding it again ..."):
                st.session_state[key] = _verified(door, log)
        found: Verdict | str | None = st.session_state.get(key)
        if found is None:
            st.caption(plain(f"Not verified since this page was opened. State: {log.state}."))
        elif isinstance(found, str):
            st.error(plain(f"NOT verified: {found}. What is damaged is told by: tape check"))
        elif found.identical:
            st.success(
                plain(
                    f"identical: {found.events:,} inputs, {found.derived:,} rows decided; {found.decisions_hash[:16]}"
                )
            )
        else:
            st.error(plain(f"NOT identical: the first difference is {found.first_difference}"))


def _verified(door: Door, log: Manifest) -> Verdict | str:
    """The verdict, or what kept the log from being read."""
    try:
        return verify(door.store, log.id)
    except TapeError as error:
        return str(error)
