"""Fields: all there are, by name. Yours join them by `with_own`."""

from collections.abc import Iterable
from typing import Final

from pipeline.errors import ConfigError
from pipeline.scanner import company_fields, price_fields, status_fields, volume_fields
from pipeline.scanner.field import Field, Fields

FIELDS: Final[Fields] = {
    field.name: field
    for field in (*price_fields.FIELDS, *volume_fields.FIELDS, *company_fields.FIELDS, *status_fields.FIELDS)
}


def with_own(own: Iterable[Field], file: str) -> dict[str, Field]:
    """All fields and these. Raises ConfigError for a name that is taken."""
    fields = dict(FIELDS)
    for field in own:
        if field.name in fields:
            raise ConfigError(f"{file}: a field named {field.name!r} is there already: name yours otherwise")
        fields[field.name] = field
    return fields
