"""The scanners of a log, by what its settings keep of them: names and units of fields, words of filters."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pipeline.errors import ConfigError
from pipeline.log.manifest import Manifest
from pipeline.scanner.field import Fields, FieldWords
from pipeline.scanner.fields import FIELDS
from pipeline.scanner.reading import definition_from, is_list, tables_of
from pipeline.scanner_codes import UniverseReason


def settings_of(manifest: Manifest) -> list[dict[str, Any]]:
    """Of each scanner, in the order of their ids, `name`, `fields`, `units`, `sources` and `filters`.

    A scan that was kept has them in its settings; a recording or a replay has the definition's text in its plan.
    """
    settings: Any = manifest.settings
    if "scanners" in settings:
        return list(settings["scanners"])
    return [_read(chosen) for chosen in (settings.get("plan") or {}).get("scanners", ())]


def name_of(scanners: Sequence[Mapping[str, Any]], scanner_id: int) -> str:
    """Whose list it is: the scanner by its name, by its number where it has none, or the operator."""
    if scanner_id == 0:
        return "the operator"
    known = scanners[scanner_id - 1] if 0 < scanner_id <= len(scanners) else {}
    return f"scanner {known.get('name') or scanner_id}"


def reason_of(scanners: Sequence[Mapping[str, Any]], scanner_id: int, reason: int) -> str:
    """Why a list took a symbol in or left it out: the filter that failed it as its definition says it, else the code in words."""
    number = reason - UniverseReason.FILTER
    if number <= 0:
        return UniverseReason(reason).name.lower().replace("_", " ") if reason in set(UniverseReason) else str(reason)
    filters = scanners[scanner_id - 1].get("filters", ()) if 0 < scanner_id <= len(scanners) else ()
    return f"failed {filters[number - 1]}" if number <= len(filters) else f"filter {number}"


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
