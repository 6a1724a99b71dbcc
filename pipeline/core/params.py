"""Parameters of a strategy: typed, bounded, with a sentence of help each; a frozen tuple once they are set."""

import inspect
import math
from collections import namedtuple
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from pipeline.errors import ConfigError, StrategyError
from pipeline.names import did_you_mean

T = TypeVar("T")

_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter: `low` and `high` are inclusive; `high` is also the capacity of what is sized by it."""

    name: str
    type: type
    default: Any
    low: float
    high: float
    help: str

    def checked(self, given: Any) -> Any:
        """The value in its type, from a number or a text. Raises ConfigError with what is accepted."""
        value = self._typed(given)
        if not self.low <= value <= self.high or not math.isfinite(value):
            raise ConfigError(f"{self.name}={given}: accepted is {self.accepted}")
        return value

    @property
    def accepted(self) -> str:
        """What may stand here, in words."""
        if self.type is bool:
            return "true or false"
        noun = "an integer" if self.type is int else "a number"
        bounds = f" from {self.low:g}" * math.isfinite(self.low) + f" to {self.high:g}" * math.isfinite(self.high)
        return f"{noun}{bounds}" if bounds else f"{noun}, finite" if self.type is float else noun

    def _typed(self, given: Any) -> Any:
        try:
            if self.type is bool:
                return given if isinstance(given, bool) else _TRUTHS[str(given).lower()]
            if self.type is int:
                return given if isinstance(given, int) else int(str(given))
            value = float(given)
        except (KeyError, ValueError, TypeError):
            raise ConfigError(f"{self.name}={given}: accepted is {self.accepted}") from None
        return value


@dataclass(frozen=True, slots=True)
class _Declared:
    default: Any
    low: float
    high: float
    help: str


def param(default: Any, *, low: float = -math.inf, high: float = math.inf, help: str = "") -> Any:  # noqa: A002  # the word users know
    """A parameter's default, inclusive bounds and a sentence of help."""
    return _Declared(default, low, high, help)


class ParamsClass:
    """What every params class carries. A value of it is a named tuple whose members were checked when it was made."""

    __slots__ = ()
    specs: ClassVar[tuple[Param, ...]] = ()

    @classmethod
    def from_text(cls, given: Mapping[str, str]) -> Self:
        """Parameters from names and texts (`{"fast": "12"}`); what is not given takes its default.

        Raises ConfigError for an unknown name, with the nearest known one, or a value that is not accepted.
        """
        return cls(**given)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Parameters from names and values or texts. Raises ConfigError as `from_text` does."""
        return cls(**given)

    @classmethod
    def describe(cls) -> list[str]:
        """One line a parameter: name, default, what is accepted, what it is."""
        return [f"{spec.name}={spec.default}  {spec.accepted}; {spec.help}" for spec in cls.specs]

    def as_dict(self) -> dict[str, Any]:
        """Every parameter by name."""
        return {spec.name: getattr(self, spec.name) for spec in self.specs}


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(param,))
def params(cls: type[T]) -> type[T]:
    """The class as a named tuple of checked parameters.

    Raises StrategyError for a parameter that is no bool, int or float, ConfigError for a default out of bounds.
    """
    specs = tuple(_spec(cls, name, type_) for name, type_ in inspect.get_annotations(cls, eval_str=True).items())
    base = namedtuple(cls.__name__, [spec.name for spec in specs])  # type: ignore[misc]  # noqa: PYI024  # made from the class

    def new(made: type[Any], **given: Any) -> Any:
        return tuple.__new__(made, _values(specs, given))

    body = {"__slots__": (), "__new__": new, "__doc__": cls.__doc__, "__module__": cls.__module__, "specs": specs}
    made = type(cls.__name__, (ParamsClass, base), body)
    made()  # defaults are checked here, not at the first run
    return made


def capacities_of(cls: type[Any]) -> dict[str, int]:
    """Upper bounds of the integer parameters: the capacities a State may name."""
    return {spec.name: int(spec.high) for spec in cls.specs if spec.type is int and spec.high < math.inf}


def _spec(cls: type[Any], name: str, type_: Any) -> Param:
    declared = cls.__dict__.get(name)
    if type_ not in (bool, int, float) or not isinstance(declared, _Declared):
        raise StrategyError(
            f"{cls.__module__}.{cls.__qualname__}.{name}: a parameter is a bool, int or float = param(...)"
        )
    return Param(name, type_, declared.default, declared.low, declared.high, declared.help)


def _values(specs: tuple[Param, ...], given: Mapping[str, Any]) -> list[Any]:
    known = [spec.name for spec in specs]
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) or f"; known are {', '.join(known) or 'none'}"
            raise ConfigError(f"unknown parameter {name!r}{hint}")
    return [spec.checked(given.get(spec.name, spec.default)) for spec in specs]
