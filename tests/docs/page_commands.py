"""The commands that pages show, each with its place: lines of their blocks, examples of help texts, and what a sentence quotes."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

import click

from pipeline.cli import main

ROOT = Path(__file__).resolve().parents[2]
HELP = "commands.md"
PROGRAMS = ("tape", "just", "pytest", "pip", "cp", "source", "ray")
_SHOWN = re.compile(rf"^ {{4,}}(?:.*/)?((?:{'|'.join(PROGRAMS)}) .*)$")
OTHERWISE_SHOWN = re.compile(rf"^(?:\s*(?:[$%>]|\w+=\S*)\s+(?:{'|'.join(PROGRAMS)})|\s{{0,3}}tape) ")
"""Behind a prompt or a variable, or not set in, as between fences: a form in which nobody would find a command to run it."""

_QUOTED = re.compile(r"`(tape [a-z][^`]*)`")
_FORM = re.compile(r"\b(SESSION|ID|LIVE|NAME|FILE|RUN_A)\b")
_EXAMPLE = re.compile(r"^  (tape .*)$")


class Command(NamedTuple):
    """One command, as it stands on its page."""

    page: str
    line: int
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}: {self.text}"


def words_of(text):
    """As a shell would hand them over."""
    return shlex.split(text.replace(r"\$", "$"), comments=True)


def resolved(words):
    """The command that the words behind `tape` name, its context's parent and its own words; KeyError when there is none."""
    parent, command, name = main.make_context("tape", [], resilient_parsing=True), main, "tape"
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, found, rest = command.resolve_command(parent, words)
        if found is None:
            raise KeyError(f"tape has no command {' '.join(words)}")
        words = rest
        parent, command = click.Context(found, parent=parent, info_name=name), found
    return command, parent, words


def _works_on_something(text):
    """Whether a quoted text is a command to type; else a sentence speaks of the command by name, or of its form."""
    if _FORM.search(text):
        return False
    words = words_of(text)
    return any(not word.startswith("-") for word in words[len(_named(words)) :])


def commands_of(path):
    """Every command of a page, in its order."""
    found, lines = [], path.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        if path.name == HELP:
            texts = _EXAMPLE.findall(line)
            if line.endswith("\\"):
                texts = [f"{text[:-1]} {lines[number].strip()}" for text in texts]
        else:
            texts = _SHOWN.findall(line) or list(filter(_works_on_something, _QUOTED.findall(line)))
        found += [Command(path.name, number, text.strip()) for text in texts]
    return found


def chapters():
    """The commands that belong together by the name of that: those of a page; those of a command's help, which needs no other one."""
    found = {}
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]:
        for command in commands_of(path):
            is_help = path.name == HELP
            name = f"{HELP} {' '.join(_named(words_of(command.text)))}" if is_help else path.name
            found.setdefault(name, []).append(command)
    return found


def _named(words):
    """`tape reference fetch`, of one with all its arguments."""
    _, _, rest = resolved(words[1:])
    return words[: len(words) - len(rest)]
