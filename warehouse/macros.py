"""Macros: what every view may call: the units of `macros.sql`, and a name for each code of each closed set."""

from enum import IntEnum, IntFlag
from inspect import getmembers, isclass
from typing import Any, Final

from pipeline import codes, scanner_codes
from warehouse.views import MACROS


def _code_macros() -> list[str]:
    """One macro a closed set, `side_name(code)`: the code's name in lower case; for flags a list of names."""
    sets: list[tuple[str, Any]] = [
        (name, members)
        for module in (codes, scanner_codes)
        for name, members in getmembers(module, isclass)
        if issubclass(members, (IntEnum, IntFlag)) and members.__module__ == module.__name__
    ]
    return [
        f"create macro {_snake(name)}_name(code) as {_flags(members) if issubclass(members, IntFlag) else _cases(members)}"
        for name, members in sets
    ]


def _cases(members: type[IntEnum]) -> str:
    cases = " ".join(f"when {int(member)} then '{member.name.lower()}'" for member in members)
    return f"case code {cases} else code::varchar end"


def _flags(members: type[IntFlag]) -> str:
    names = ", ".join(
        f"case when code & {int(member)} <> 0 then '{(member.name or '').lower()}' end" for member in members if member
    )
    return f"array_to_string(list_filter([{names}], lambda name: name is not null), ' ')"


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


SHARED: Final = (MACROS, *_code_macros())
"""Statements that make them."""
