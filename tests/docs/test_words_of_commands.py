"""What pages say of commands in blocks, in help texts and in sentences: the words are taken by the command they name, run or not."""

import re

import click
import pytest
from page_commands import HELP, OTHERWISE_SHOWN, ROOT, commands_of, resolved, words_of

PLACEHOLDERS = re.compile(r"\b(SESSION|RUN_A|RUN_B|ID|LIVE|NAME|COMMAND|REASON|FILES?)\b|\.\.\.")


def all_commands():
    """(where, its text, whether it stands whole): each in a block or a help text, and whatever a sentence quotes."""
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]):
        if path.name == "CHANGELOG.md":
            continue
        whole = {(each.line, each.text) for each in commands_of(path) if each.text.startswith("tape ")}
        for line, text in sorted(whole):
            yield pytest.param(text, True, id=f"{path.name}:{line}: {text[:60]}")
        for line, told in enumerate(path.read_text().splitlines() if path.name != HELP else (), 1):
            for text in re.findall(r"`(tape [a-z][^`]*)`", told):
                if (line, text) not in whole:
                    yield pytest.param(text, False, id=f"{path.name}:{line}: {text[:60]}")


@pytest.mark.parametrize(("text", "is_whole"), [*all_commands()])
def test_the_words_are_those_of_a_command(text, is_whole):
    """Each option is one of its own; what stands for something of the reader's is left out."""
    text = re.split(r" >> | && ", text)[0]
    given = [word for word in words_of(text) if not PLACEHOLDERS.search(word)]
    command, parent, words = resolved(given[1:])
    if "--help" in words or isinstance(command, click.Group):
        return
    known = {name for parameter in command.params for name in parameter.opts + parameter.secondary_opts}
    options = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert options <= known | {"--help", "-h"}, f"no option {options - known}"
    if is_whole and not PLACEHOLDERS.search(text):
        try:
            command.make_context(command.name, words, parent=parent)
        except click.BadParameter as error:
            if "does not exist" not in str(error):  # a file of the reader's
                raise


def test_commands_stand_in_the_one_form_in_which_they_are_found():
    assert OTHERWISE_SHOWN.match("    TAPE_HOME=x tape check")
    pages = [path for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")] if path.name != HELP]
    lines = [
        f"{path.name}: {line}"
        for path in pages
        for line in path.read_text().splitlines()
        if OTHERWISE_SHOWN.match(line)
    ]
    assert lines == []
