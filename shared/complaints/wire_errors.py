"""What the JSON decoder says, as the field and the rule that an error names."""

from __future__ import annotations

import re

_MESSAGE = re.compile(r"(?P<rule>.*?)(?: - at (?:`key` in )?`\$\.?(?P<path>[^`]*)`)?", re.DOTALL)
_FIELD = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)
_RULES = {
    "Invalid RFC3339 encoded date": "must be a date YYYY-MM-DD",
    "Invalid RFC3339 encoded datetime": "must be an instant, as 2026-03-02T09:00:00+08:00",
    "Expected `datetime` with a timezone component": "must be an instant with its offset, as 2026-03-02T09:00:00+08:00",
    "Invalid ISO8601 duration": "must be an ISO 8601 duration, as PT48H",
}


def field_and_rule(message: str) -> tuple[str, str]:
    """The dotted path of the field, empty for the whole value, and the rule it breaks, from a ``ValidationError``."""
    match = _MESSAGE.fullmatch(message)
    path, rule = (match["path"] or "", match["rule"]) if match else ("", message)
    if field := _FIELD.fullmatch(rule):
        path = f"{path}.{field['name']}" if path else field["name"]
        return path, "is missing" if field["what"].startswith("missing") else "is not a field here"
    return path, _RULES.get(rule, rule)
