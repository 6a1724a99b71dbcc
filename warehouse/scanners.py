"""The scanners of a log, by what its settings keep of them: names and units of fields, words of filters."""

from typing import Any

import msgspec

from pipeline.errors import ConfigError
from pipeline.log.manifest import Manifest
from pipeline.scanner.field import Fields, FieldWords
from pipeline.scanner.fields import FIELDS
from pipeline.scanner.reading import definition_from, is_list, tables_of


def settings_of(manifest: Manifest) -> list[dict[str, Any]]:
    """Of each scanner, in the order of their ids, `name`, `fields`, `units`, `sources` and `filters`.

    A scan that was kept has them in its settings; a recording or a replay has the definition's text in its plan.
    """
    settings: Any = manifest.settings
    if "scanners" in settings:
        return list(settings["scanners"])
    return [_read(chosen) for chosen in (settings.get("plan") or {}).get("scanners", ())]


def _read(chosen: dict[str, Any]) -> dict[str, Any]:
    """What a scanner's text defines today; the numbers alone where it defines nothing any more."""
    text, file = chosen["text"], chosen["file"]
    own = [msgspec.convert(each, FieldWords).unfounded for each in chosen.get("fields_words", ())]
    fields: Fields = {**FIELDS, **{each.name: each for each in own}}
    name = file.rpartition("/")[2].partition(".")[0]
    nameless = {"name": name, "fields": [], "units": [], "sources": [], "filters": []}
    try:
        if is_list(text, file):
            return nameless | {"name": str(tables_of(text, file).get("name", name))}
        return definition_from(text, file, fields).setting(fields)
    except ConfigError:
        return nameless
