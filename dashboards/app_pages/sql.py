"""SQL: a statement over the views, answered in a process that can read the tape and nothing else; its rows, a chart, files."""

import streamlit as st

from dashboards import controls, questions
from dashboards.data import door
from dashboards.tables import answer_table
from dashboards.words import plain, span, visible
from pipeline.errors import TapeError
from pipeline.sandbox.asking import Answer, NoAnswer

EVERYTHING = "the whole store"
_STATEMENT = "statement"


def put(sql: str) -> None:
    """Let this stand in the editor."""
    st.session_state[_STATEMENT] = sql


def put_example() -> None:
    """The chosen example."""
    if title := st.session_state["sql-example"]:
        put(questions.example(title))


def put_saved() -> None:
    """The chosen statement of those that were saved."""
    if name := st.session_state["sql-saved"]:
        try:
            put(kept.read(name))
        except TapeError as error:
            st.session_state["sql-told"] = str(error)


def save() -> None:
    """Keep what stands there under the name that was typed."""
    name = st.session_state["sql-name"].strip()
    try:
        kept.save(name, st.session_state[_STATEMENT])
        st.session_state["sql-told"] = f"saved as {name}"
    except (TapeError, OSError) as error:
        st.session_state["sql-told"] = str(error)


def forget() -> None:
    """No longer keep the chosen one."""
    if name := st.session_state["sql-saved"]:
        try:
            kept.delete(name)
        except TapeError as error:
            st.session_state["sql-told"] = str(error)


def draw(answer: Answer) -> None:
    """One column over another."""
    numbers = questions.numbers_of(answer.table)
    if not numbers:
        st.caption("No column of numbers.")
        return
    left, middle, right = st.columns(3)
    across = left.selectbox("Across", answer.table.column_names, key="sql-across")
    upward = middle.selectbox("Upward", numbers, key="sql-upward")
    how = right.segmented_control("As", ["line", "bars", "points"], default="line", required=True, key="sql-how")
    chart = {"line": st.line_chart, "bars": st.bar_chart, "points": st.scatter_chart}[how]
    drawing = questions.drawn(answer.table, across, upward)
    chart(drawing, x="across", y="upward", x_label=visible(across), y_label=visible(upward))


def take(answer: Answer) -> None:
    """The rows as a file."""
    form = st.segmented_control("Form", questions.FORMS, default="csv", required=True, key="sql-form-of-file")
    try:
        content = questions.as_file(answer.table, form)
    except ValueError as error:
        st.error(plain(error))
    else:
        st.download_button("Take it away", content, file_name=f"answer.{form}", on_click="ignore")


store = door()
log = controls.chosen_log(store)
kept = questions.saved(store)
if _STATEMENT not in st.session_state:
    put(questions.example(questions.EXAMPLE_TITLES[0]))

beside, editor = st.columns([1, 3])
with beside:
    over = controls.one("over", "Over", [log.id, EVERYTHING], always=log.id)
    st.selectbox(
        "Examples", questions.EXAMPLE_TITLES, index=None, key="sql-example", on_change=put_example, placeholder="examples",
        label_visibility="collapsed",
    )  # fmt: skip
    st.selectbox(
        "Saved", kept.names(), index=None, key="sql-saved", on_change=put_saved, placeholder="saved statements",
        label_visibility="collapsed",
    )  # fmt: skip
    st.text_input("Name", key="sql-name", placeholder="name to save it under", label_visibility="collapsed")
    one, two = st.columns(2)
    one.button("Save", on_click=save, width="stretch")
    two.button("Forget", on_click=forget, width="stretch", disabled=not st.session_state.get("sql-saved"))
with editor:  # no form: what is saved must be what stands there, though nobody asked it yet
    st.text_area("Statement", key=_STATEMENT, height=220, label_visibility="collapsed")
    is_asked = st.button("Ask", type="primary")
if told := st.session_state.pop("sql-told", ""):
    st.caption(plain(told))

if is_asked:
    with st.spinner("asking ..."):
        st.session_state["sql-answer"] = questions.ask(
            store, st.session_state[_STATEMENT], ("all",) if over == EVERYTHING else (log.id,)
        )
        st.session_state["sql-asked"] = over, st.session_state[_STATEMENT]
answer = st.session_state.get("sql-answer")
match answer:
    case NoAnswer():
        st.error(f"{answer.what}: {plain(answer.line)}", icon=":material/block:")
    case Answer():
        cut = f", {answer.cut}" if answer.cut else ""
        st.caption(
            plain(
                f"{len(answer.table):,} rows{cut}; {span(answer.answering_s)}, opening {span(answer.loading_s)}; times are UTC"
            )
        )
        if st.session_state["sql-asked"] != (over, st.session_state[_STATEMENT]):
            asked_over, asked = st.session_state["sql-asked"]
            st.info(f"These are the rows over {plain(asked_over)} of: {plain(' '.join(asked.split())[:200])}")
        shown, drawn, taken = st.tabs(["Rows", "Chart", "File"], key="sql_part", on_change="rerun")
        if shown.open:
            with shown:
                answer_table("sql-rows", questions.shown(answer.table))
        if drawn.open:
            with drawn:
                draw(answer)
        if taken.open:
            with taken:
                take(answer)

with st.expander("What holds around a statement"):
    st.markdown(
        "It is answered by a process of its own with an empty environment, which has closed itself in: it reads the tape and writes "
        "nothing. One select over the views, five seconds, 200,000 rows."
    )
    for line in questions.weaker(store):
        st.warning(plain(line), icon=":material/shield:")
