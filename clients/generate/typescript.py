"""The TypeScript client's types and method stubs, as Biome's formatter has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from clients.generate.contract import PAYLOAD, Choice, Contract, Member, Method, Object, Type, Words
from clients.generate.text import GENERATED, wrapped

WIDTH = 100

_PLAIN = {
    "boolean": "boolean",
    "instant": "string",
    "integer": "number",
    "number": "number",
    "object": "Record<string, unknown>",
    "string": "string",
}
_RENAMED = {"Error": "ErrorObject"}
"""Types whose names mean something else in JavaScript."""


def files(contract: Contract) -> dict[str, str]:
    """Give the files by name."""
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
    for one in contract.types:
        if isinstance(one, Words):
            union = _union(f"export type {one.name} =", [f'"{word}"' for word in one.words])
            yield [*_doc(one.doc), *union]
        elif isinstance(one, Choice):
            yield [*_doc(one.doc), f"export type {one.name} =", *_forms(one)]
        else:
            yield _object(one, names_itself=one.name in watches)
    notices = [
        f'{{ method: "{one.name}"; params: {one.params} }}' for one in contract.notifications
    ]
    yield [*_doc("What a watch tells, one at a time."), *_union("export type Notice =", notices)]


def _union(head: str, kinds: Sequence[str]) -> list[str]:
    line = f"{head} {' | '.join(kinds)};"
    if len(line) <= WIDTH:
        return [line]
    *others, last = [f"  | {kind}" for kind in kinds]
    return [head, *others, f"{last};"]


def _object(one: Object, *, names_itself: bool) -> list[str]:
    is_params = one.name.endswith("Params")
    name, members, tail = _renamed(one.name), one.members, "}"
    head = f"export interface {name} {{"
    if one.choice is not None:
        chosen = {member.name for form in one.choice.forms for member in form}
        members = tuple(member for member in members if member.name not in chosen)
        head, tail = f"export type {name} = {one.choice.name} & {{", "};"
    lines = [*_doc(one.doc), head]
    for member in members:
        named_here = names_itself and member.name == "watch"
        doc = f"{member.doc} By default one is made." if named_here else member.doc
        optional = named_here or not member.required
        lines += [*_doc(doc, "  "), f"  {_member(member, optional=optional, is_params=is_params)}"]
    return [*lines, tail]


def _forms(one: Choice) -> Iterator[str]:
    for number, form in enumerate(one.forms, 1):
        yield "  | {"
        for member in form:
            line = _member(member, optional=not member.required, is_params=True)
            yield from (*_doc(member.doc if member.types else "", " " * 6), f"      {line}")
        yield "    };" if number == len(one.forms) else "    }"


def _member(member: Member, *, optional: bool, is_params: bool) -> str:
    kinds = [_of(kind, is_params=is_params) for kind in member.types]
    kinds += ["null"] if member.nullable else []
    kinds += ["undefined"] if optional and is_params else []
    return f"{member.name}{'?' if optional else ''}: {' | '.join(kinds)};"


def _of(one: Type, *, is_params: bool = False) -> str:
    name = _PLAIN.get(one.name) or _renamed(one.name)
    if one.open:
        name += " | (string & {})"
    if not one.many:
        return name
    item = f"({name})" if one.open else name
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
        needed |= {"Notice"} if method.notifications else set()
        needed |= {method.params.name} if method.params is not None else set()
        shown = [method.result] if method.result is not None else []
        shown += method.items.types if method.items is not None else []
        needed |= {_renamed(one.name) for one in shown if one.named}
    yield [
        'import type { CallOptions, Calls } from "../calls.js";',
        *_wrapped_list("import type {", sorted(needed), '} from "./types.js";'),
    ]
    yield [
        "/** The version of the wire contract that this client was made for. */",
        f'export const PROTOCOL_VERSION = "{contract.protocol_version}";',
    ]
    yield [
        "/** Tells the schemas that this client was made from. */",
        f'export const SCHEMA_HASH = "{contract.schema_hash}";',
    ]
    open_ended = [method.name for method in contract.methods if method.open_ended]
    for name, doc, rows in (
        ("METHODS", "The methods that this client knows.", [one.name for one in contract.methods]),
        ("OPEN_ENDED", "Those that stay open until something happens.", open_ended),
        (
            "NOTIFICATIONS",
            "The notifications that this client knows.",
            [one.name for one in contract.notifications],
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
        "/** Every method of the sidecar, by its namespace. */",
        "export abstract class Methods {",
        *members,
        "",
        "  /** @internal */",
        "  protected constructor(calls: Calls) {",
        *(f"    this.{name} = new {service}(calls);" for name, service in services.items()),
        "  }",
        "}",
    ]


def _service(name: str, service: str, methods: Sequence[Method]) -> list[str]:
    lines = [
        f"/** The methods `{name}.*`. */",
        f"export class {service} {{",
        "  readonly #calls: Calls;",
        "",
        "  /** @internal */",
        "  constructor(calls: Calls) {",
        "    this.#calls = calls;",
        "  }",
    ]
    for method in methods:
        lines += ["", *_stub(method)]
        if method.items is not None:
            lines += ["", *_all(method, method.items)]
    return [*lines, "}"]


def _stub(method: Method) -> list[str]:
    result = "null" if method.result is None else _of(method.result)
    if method.notifications:
        doc = (
            f"{method.summary}\n\nIt begins with the first `next()`; leaving the loop ends it."
            " How it ended is what the generator returns. A slow loop is told the newest state of"
            " each event, so `sequence` may skip, and need not rise."
        )
        called = f"this.#calls.watch({_given(method)})"
        return _function(
            method, method.verb, doc, f"AsyncGenerator<Notice, {result}, void>", called
        )
    if method.nullable and method.result is not None:
        result += " | null"
    called = f"this.#calls.request({_given(method)})"
    return _function(method, method.verb, method.summary, f"Promise<{result}>", called)


def _all(method: Method, items: Member) -> list[str]:
    item = _of(items.types[0]).removesuffix("[]")
    doc = f"As `{method.verb}`, over all pages, each fetched when it is needed."
    called = f'this.#calls.pages("{method.name}", "{items.name}", params, options)'
    return _function(
        method, f"{method.verb}All", doc, f"AsyncGenerator<{item}, void, void>", called
    )


def _given(method: Method) -> str:
    return f'"{method.name}", {"{}" if method.params is None else "params"}, options'


def _function(method: Method, name: str, doc: str, gives: str, called: str) -> list[str]:
    if method.errors:
        doc += f"\n\n@throws {{RequestError}} {', '.join(method.errors)}"
    takes = ["options: CallOptions = {}"]
    if method.params is not None:
        needed = any(
            member.required and not (method.notifications and member.name == "watch")
            for member in method.params.members
        )
        takes.insert(0, f"params: {method.params.name}{'' if needed else ' = {}'}")
    head = f"  {name}({', '.join(takes)}): {gives} {{"
    signature = [head]
    if len(head) > WIDTH:
        signature = [f"  {name}(", *(f"    {one}," for one in takes), f"  ): {gives} {{"]
    return [*_doc(doc, "  "), *signature, f"    return {called};", "  }"]


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
