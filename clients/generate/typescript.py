"""The types and method stubs of the TypeScript client, formatted as by Biome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from clients.generate.contract import PAYLOAD, Contract, Enum, Member, Method, Object, OneOf, Type
from clients.generate.text import GENERATED, third_person, wrapped

WIDTH = 100

_PRIMITIVES = {
    "boolean": "boolean",
    "integer": "number",
    "number": "number",
    "object": "Record<string, unknown>",
    "string": "string",
    "timestamp": "string",
}
_RENAMED = {"Error": "ErrorObject"}
"""Types whose names are globals of JavaScript."""


def files(contract: Contract) -> dict[str, str]:
    """Return the contents of the generated files, by name."""
    return {
        "types.ts": _file(_types(contract)),
        "methods.ts": _file(_methods(contract)),
    }


def _file(blocks: Iterable[Sequence[str]]) -> str:
    return "\n\n".join("\n".join(block) for block in [[f"// {GENERATED}"], *blocks]) + "\n"


def _types(contract: Contract) -> Iterator[list[str]]:
    yield [f'import type {{ {PAYLOAD} }} from "../payload.js";']
    watches = {
        method.params.name
        for method in contract.methods
        if method.notifications and method.params is not None
    }
    for type_ in contract.types:
        if isinstance(type_, Enum):
            union = _union(f"export type {type_.name} =", [f'"{value}"' for value in type_.values])
            yield [*_doc(type_.doc), *union]
        elif isinstance(type_, OneOf):
            yield [*_doc(type_.doc), f"export type {type_.name} =", *_alternatives(type_)]
        else:
            yield _object(type_, is_watch=type_.name in watches)
    notifications = [
        f'{{ method: "{note.name}"; params: {note.params} }}' for note in contract.of_watches
    ]
    yield [
        *_doc("A notification of a watch."),
        *_union("export type WatchNotification =", notifications),
    ]


def _union(head: str, types: Sequence[str]) -> list[str]:
    line = f"{head} {' | '.join(types)};"
    if len(line) <= WIDTH:
        return [line]
    *others, last = [f"  | {type_}" for type_ in types]
    return [head, *others, f"{last};"]


def _object(object_: Object, *, is_watch: bool) -> list[str]:
    is_params = object_.is_sent
    name, members, tail = _renamed(object_.name), object_.members, "}"
    head = f"export interface {name} {{"
    if object_.one_of is not None:
        elsewhere = {member.name for variant in object_.one_of.alternatives for member in variant}
        members = tuple(member for member in members if member.name not in elsewhere)
        head, tail = f"export type {name} = {object_.one_of.name} & {{", "};"
    lines = [*_doc(object_.doc), head]
    for member in members:
        has_default = is_watch and member.name == "watch"
        doc = f"{member.doc} Default: a unique name." if has_default else member.doc
        optional = has_default or not member.required
        lines += [*_doc(doc, "  "), f"  {_member(member, optional=optional, is_params=is_params)}"]
    return [*lines, tail]


def _alternatives(union: OneOf) -> Iterator[str]:
    for number, members in enumerate(union.alternatives, 1):
        yield "  | {"
        for member in members:
            line = _member(member, optional=not member.required, is_params=True)
            yield from (*_doc(member.doc if member.types else "", " " * 6), f"      {line}")
        yield "    };" if number == len(union.alternatives) else "    }"


def _member(member: Member, *, optional: bool, is_params: bool) -> str:
    types = [_type(type_, is_params=is_params) for type_ in member.types]
    types += ["null"] if member.nullable else []
    types += ["undefined"] if optional and is_params else []
    return f"{member.name}{'?' if optional else ''}: {' | '.join(types)};"


def _type(type_: Type, *, is_params: bool = False) -> str:
    name = _PRIMITIVES.get(type_.name) or _renamed(type_.name)
    if type_.open:
        name += " | (string & {})"
    if not type_.is_array:
        return name
    item = f"({name})" if type_.open else name
    return f"readonly {item}[]" if is_params else f"{item}[]"


def _renamed(name: str) -> str:
    return _RENAMED.get(name, name)


def _doc(prose: str, indent: str = "") -> list[str]:
    if not prose:
        return []
    lines = wrapped(prose, WIDTH - len(indent) - 3)
    if len(lines) == 1 and len(f"{indent}/** {lines[0]} */") <= WIDTH:
        return [f"{indent}/** {lines[0]} */"]
    return [f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in lines), f"{indent} */"]


def _methods(contract: Contract) -> Iterator[list[str]]:
    services = {name: f"{name.capitalize()}" for name in contract.services}
    needed: set[str] = set()
    for method in contract.methods:
        needed |= {"WatchNotification"} if method.notifications else set()
        needed |= {method.params.name} if method.params is not None else set()
        results = [method.result] if method.result is not None else []
        results += method.items.types if method.items is not None else []
        needed |= {_renamed(type_.name) for type_ in results if type_.named}
    yield [
        'import type { Caller, CallOptions } from "../caller.js";',
        *_wrapped_list("import type {", sorted(needed), '} from "./types.js";'),
    ]
    yield [
        "/** The version of the wire contract that this client implements. */",
        f'export const PROTOCOL_VERSION = "{contract.protocol_version}";',
    ]
    yield [
        "/** The hash of the schemas that this client was generated from. */",
        f'export const SCHEMA_HASH = "{contract.schema_hash}";',
    ]
    open_ended = [method.name for method in contract.methods if method.open_ended]
    for name, doc, rows in (
        ("METHODS", "The methods that have stubs.", [method.name for method in contract.methods]),
        ("OPEN_ENDED", "The methods whose calls may stay open indefinitely.", open_ended),
        (
            "NOTIFICATIONS",
            "The notifications of watches.",
            [notification.name for notification in contract.of_watches],
        ),
    ):
        yield [f"/** {doc} */", *_set(name, rows)]
    for name, service in services.items():
        yield _service(name, service, contract.services[name])
    members = [
        line
        for name, service in services.items()
        for line in (f"  /** The methods `{name}.*`. */", f"  readonly {name}: {service};")
    ]
    yield [
        "/** The methods of the sidecar, by namespace. */",
        "export abstract class Methods {",
        *members,
        "",
        "  /** @internal */",
        "  protected constructor(caller: Caller) {",
        *(f"    this.{name} = new {service}(caller);" for name, service in services.items()),
        "  }",
        "}",
    ]


def _service(name: str, service: str, methods: Sequence[Method]) -> list[str]:
    lines = [
        f"/** The methods `{name}.*`. */",
        f"export class {service} {{",
        "  readonly #caller: Caller;",
        "",
        "  /** @internal */",
        "  constructor(caller: Caller) {",
        "    this.#caller = caller;",
        "  }",
    ]
    for method in methods:
        lines += ["", *_stub(method)]
        if method.items is not None:
            lines += ["", *_pages_stub(method, method.items)]
    return [*lines, "}"]


def _stub(method: Method) -> list[str]:
    result = "null" if method.result is None else _type(method.result)
    doc = third_person(method.summary)
    if method.notifications:
        doc += (
            "\n\nThe request is sent by the first `next()`. Leaving the loop ends the watch. The"
            " generator returns the result of the watch. A slow loop gets only the latest state of"
            " each event, so `sequence` can skip numbers and can decrease."
        )
        body = f"this.#caller.watch({_arguments(method)})"
        returned = f"AsyncGenerator<WatchNotification, {result}, void>"
        return _function(method, method.verb, doc, returned, body)
    if method.nullable and method.result is not None:
        result += " | null"
    body = f"this.#caller.request({_arguments(method)})"
    return _function(method, method.verb, doc, f"Promise<{result}>", body)


def _pages_stub(method: Method, items: Member) -> list[str]:
    item = _type(items.types[0]).removesuffix("[]")
    doc = (
        f"Iterates over the {items.name} of all pages of `{method.verb}`. Fetches each page when it"
        " is needed."
    )
    body = f'this.#caller.pages("{method.name}", "{items.name}", params, options)'
    return _function(method, f"{method.verb}All", doc, f"AsyncGenerator<{item}, void, void>", body)


def _arguments(method: Method) -> str:
    return f'"{method.name}", {"{}" if method.params is None else "params"}, options'


def _function(method: Method, name: str, doc: str, returned: str, body: str) -> list[str]:
    if method.errors:
        doc += f"\n\n@throws {{RequestError}} {', '.join(method.errors)}"
    parameters = ["options: CallOptions = {}"]
    if method.params is not None:
        required = any(
            member.required and not (method.notifications and member.name == "watch")
            for member in method.params.members
        )
        parameters.insert(0, f"params: {method.params.name}{'' if required else ' = {}'}")
    head = f"  {name}({', '.join(parameters)}): {returned} {{"
    signature = [head]
    if len(head) > WIDTH:
        signature = [f"  {name}(", *(f"    {item}," for item in parameters), f"  ): {returned} {{"]
    return [*_doc(doc, "  "), *signature, f"    return {body};", "  }"]


def _set(name: str, rows: Sequence[str]) -> list[str]:
    head = f"export const {name}: ReadonlySet<string> = new Set(["
    quoted = [f'"{row}"' for row in rows]
    line = f"{head}{', '.join(quoted)}]);"
    return [line] if len(line) <= WIDTH else [head, *(f"  {row}," for row in quoted), "]);"]


def _wrapped_list(head: str, names: Sequence[str], tail: str) -> list[str]:
    line = f"{head} {', '.join(names)} {tail}"
    if len(line) <= WIDTH:
        return [line]
    return [head, *(f"  {name}," for name in names), tail]
