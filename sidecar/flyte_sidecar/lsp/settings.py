"""The settings of an editor: section `flyteSidecar`.

They arrive in `initializationOptions` and in `workspace/didChangeConfiguration`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, ValidationError, convert, structs

from flyte_sidecar._suggestions import closest

SECTION = "flyteSidecar"

MAX_PROBLEMS = 10
"""Number of problems that are reported at once."""

MAX_QUOTED_LENGTH = 60
"""Maximum length of an unknown key that a problem quotes."""

OF_CLIENTS = ("command", "trace", "trace.server")
"""Members of the section that are for plugins: how they start and trace the server."""

Text = Annotated[str, Meta(max_length=4096, pattern=r"^(?![\s\S]*[\x00-\x1f\x7f])")]
Pattern = Annotated[str, Meta(max_length=1000)]
Patterns = Annotated[tuple[Pattern, ...], Meta(max_length=100)]

# VS Code's word for a setting that a workspace cannot change: these settings decide to whom the
# answers go, and a repository that somebody clones must not.
_MACHINE = {"scope": "machine"}
_AS_STARTED = "By default, the value of the command line or of the environment."
_GLOB = "`*` matches any characters, `?` one, and `[abc]` one of these."


class Settings(Struct, frozen=True, kw_only=True, rename="camel"):
    """The settings of an editor. None means: as the sidecar was started."""

    backend: Annotated[
        Literal["local", "flyte", "all"] | None,
        Meta(
            description="Where the events are: in the embedded store (`local`), in a Flyte"
            f" deployment (`flyte`), or in both (`all`). {_AS_STARTED}",
            extra_json_schema={
                **_MACHINE,
                "enumDescriptions": [
                    "both",
                    "a Flyte deployment",
                    "the embedded store",
                    "the default",
                ],
            },
        ),
    ] = None
    store: Annotated[
        Text | None,
        Meta(
            description=f"The path of the embedded store's file. {_AS_STARTED}",
            extra_json_schema=_MACHINE,
        ),
    ] = None
    config: Annotated[
        Text | None,
        Meta(
            description="The path of the config file of Flyte. By default, the value of the command"
            " line, or else the file that the `flyte` command finds.",
            extra_json_schema=_MACHINE,
        ),
    ] = None
    endpoint: Annotated[
        Text | None,
        Meta(
            description=f"The Flyte deployment, as `host` or `host:port`. {_AS_STARTED}",
            extra_json_schema=_MACHINE,
        ),
    ] = None
    insecure: Annotated[
        bool | None,
        Meta(
            description=f"Connect to the Flyte deployment without TLS. {_AS_STARTED}",
            extra_json_schema=_MACHINE,
        ),
    ] = None
    ca_cert_file: Annotated[
        Text | None,
        Meta(
            description="The path of a PEM file with the certificates that the connection to the"
            f" Flyte deployment trusts. {_AS_STARTED}",
            extra_json_schema=_MACHINE,
        ),
    ] = None
    transport: Annotated[
        Literal["auto", "grpc", "connect"] | None,
        Meta(
            description="How requests are sent to the Flyte deployment."
            " By default, the value of the command line, or `auto`.",
            extra_json_schema={
                "enumDescriptions": [
                    "gRPC, or Connect if an ingress passes only that",
                    "Connect",
                    "gRPC",
                    "the default",
                ]
            },
        ),
    ] = None
    org: Annotated[
        Text | None, Meta(description=f"The organization whose events are shown. {_AS_STARTED}")
    ] = None
    project: Annotated[
        Text | None, Meta(description=f"The project whose events are shown. {_AS_STARTED}")
    ] = None
    domain: Annotated[
        Text | None, Meta(description=f"The domain whose events are shown. {_AS_STARTED}")
    ] = None
    runs: Annotated[
        Patterns,
        Meta(
            description="Show only the events of runs whose names match one of these patterns."
            f" {_GLOB} An empty list shows the events of all runs."
        ),
    ] = ()
    asking: Annotated[bool, Meta(description="Ask for an answer when a run starts to wait.")] = True
    asking_runs: Annotated[
        Patterns,
        Meta(
            description="Ask only about runs whose names match one of these patterns, as in"
            " `flyteSidecar.runs`. An empty list asks about all runs that are shown."
        ),
    ] = ()
    lenses: Annotated[
        bool, Meta(description="Show code lenses above the conditions that a file declares.")
    ] = True

    def shows_run(self, name: str) -> bool:
        """Return whether the events of the run are shown."""
        return _matches(name, self.runs)

    def asks_about_run(self, name: str) -> bool:
        """Return whether the person is asked when the run starts to wait."""
        return self.asking and self.shows_run(name) and _matches(name, self.asking_runs)


def parse_settings(
    value: object, previous: Settings, base: Settings | None = None
) -> tuple[Settings, list[str]]:
    """Return the settings that a client sent, and what is wrong with them, as sentences.

    Parameters
    ----------
    value
        The section itself, or an object that contains it: as the member `flyteSidecar`, or as
        members such as `flyteSidecar.runs`. Sections of other servers are ignored. None changes
        nothing.
    previous
        The current settings. A member with an invalid value keeps its current value.
    base
        The settings of members that are absent or null; by default the default settings.
    """
    section = value.get(SECTION, {}) if isinstance(value, Mapping) else value
    if value is None or section is None:
        return previous, []
    if section != [] and not isinstance(section, Mapping):
        return previous, [f"`{SECTION}` must be an object, got {_kind(section)}"]
    members, unknown = _members(value if isinstance(value, Mapping) else {})
    values: dict[str, Any] = structs.asdict(base or Settings())
    problems = []
    for key, member in members.items():
        field = _fields()[key]
        if member is None or (member == "" and field.default is None):
            continue  # VS Code writes a cleared text as ""
        if member == {} and field.default == ():
            member = []  # cjson writes an empty list so
        try:
            values[field.name] = _converted(member, field.type)
        except (ValidationError, UnicodeEncodeError):  # the latter for an unpaired surrogate
            values[field.name] = getattr(previous, field.name)
            expected = _EXPECTED[key]
            problems.append(f"`{SECTION}.{key}` must be {expected}, got {_kind(member)}")
    room = max(0, MAX_PROBLEMS - len(problems))
    problems += map(_unknown, unknown[:room])
    if len(unknown) > room:
        problems.append(f"{len(unknown) - room} more settings are unknown")
    return Settings(**values), problems


_TEXT = "a string of at most 4096 characters without control characters, or null"
_PATTERNS = "a list of at most 100 patterns, each a string of at most 1000 characters"
_EXPECTED = {
    "backend": '"local", "flyte", "all" or null',
    "store": _TEXT,
    "config": _TEXT,
    "endpoint": _TEXT,
    "insecure": "true, false or null",
    "caCertFile": _TEXT,
    "transport": '"auto", "grpc", "connect" or null',
    "org": _TEXT,
    "project": _TEXT,
    "domain": _TEXT,
    "runs": _PATTERNS,
    "asking": "true or false",
    "askingRuns": _PATTERNS,
    "lenses": "true or false",
}
"""The valid values, for a person."""


def _members(value: Mapping[Any, object]) -> tuple[dict[str, object], list[object]]:
    """Return the members of the section by key, and the unknown keys."""
    prefix = f"{SECTION}."
    dotted = {
        key.removeprefix(prefix): member
        for key, member in value.items()
        if isinstance(key, str) and key.startswith(prefix)
    }
    if SECTION in value or dotted:
        section = value.get(SECTION) or {}
        assert isinstance(section, Mapping)
        members = {**section, **dotted}
    else:
        members = {k: m for k, m in value.items() if k in _fields() or not _is_section(k, m)}
    known = {key: member for key, member in members.items() if key in _fields()}
    return known, [key for key in members if key not in _fields() and key not in OF_CLIENTS]


def _is_section(key: object, member: object) -> bool:
    """Return whether a member of an object without our section is another server's section."""
    return isinstance(member, Mapping) or "." in str(key)


def _unknown(key: object) -> str:
    name = str(key)
    quoted = name if len(name) <= MAX_QUOTED_LENGTH else name[:MAX_QUOTED_LENGTH] + "..."
    problem = f"unknown setting {f'{SECTION}.{quoted}'!a}"
    known = closest(name, _fields())
    return f"{problem}; did you mean '{SECTION}.{known}'?" if known else problem


def _converted(member: object, type_: object) -> object:
    """Return a setting of a type; convert() accepts unpaired surrogates where it copies a text."""
    converted = convert(member, type_)
    for text in converted if isinstance(converted, tuple) else (converted,):
        if isinstance(text, str) and any("\ud800" <= character <= "\udfff" for character in text):
            raise ValidationError("unpaired surrogate")
    return converted


def _kind(value: object) -> str:
    """Describe a value without repeating it: it may be long or a secret."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "another string"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, list | tuple) else "an object"


@cache
def _fields() -> dict[str, structs.FieldInfo]:
    return {field.encode_name: field for field in structs.fields(Settings)}


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
