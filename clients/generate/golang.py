"""The Go client's types and method stubs, as gofmt has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from clients.generate.contract import PAYLOAD, Contract, Member, Method, Object, Type, Words
from clients.generate.text import GENERATED, exported, lowered, wrapped

WIDTH = 96

_PLAIN = {
    "boolean": "bool",
    "instant": "time.Time",
    "integer": "int",
    "number": "float64",
    "object": "json.RawMessage",
    "string": "string",
}
_OPEN = "The set is open: a newer sidecar may send others."
_POINTERS = frozenset({"Error"})
"""Types whose methods are those of the pointer to them."""


def files(contract: Contract) -> dict[str, str]:
    """Give the files by name."""
    return {
        "types_gen.go": _file(_types(contract)),
        "methods_gen.go": _file(_methods(contract)),
        "methods_gen_test.go": _file(_stubs(contract)),
    }


def _file(blocks: Iterable[Sequence[str]]) -> str:
    head = [f"// {GENERATED}", "", "package sidecar"]
    return "\n\n".join("\n".join(block) for block in [head, *blocks]) + "\n"


def _types(contract: Contract) -> Iterator[list[str]]:
    yield ["import (", '\t"encoding/json"', '\t"time"', ")"]
    yield [
        "// ProtocolVersion is the version of the wire contract that this package speaks.",
        f'const ProtocolVersion = "{contract.protocol_version}"',
    ]
    docs = {error.kind: error.doc for error in contract.errors}
    for one in contract.types:
        if isinstance(one, Words):
            yield [*_comment(f"{one.name}: {one.doc}\n\n{_OPEN}"), f"type {one.name} string"]
            yield _constants(one, docs if one.name == "ErrorKind" else {})
        elif isinstance(one, Object):
            yield _struct(one)


def _constants(words: Words, docs: dict[str, str]) -> list[str]:
    prefix = "Kind" if words.name == "ErrorKind" else words.name
    fields = [
        (docs.get(word, ""), (prefix + exported(word), words.name, f'= "{word}"'))
        for word in words.words
    ]
    return ["const (", *_fields(fields), ")"]


def _struct(one: Object) -> list[str]:
    is_params = one.name.endswith("Params")
    fields = [
        (
            member.doc,
            (exported(member.name), _of(member), f"`json:{_tag(member, is_params=is_params)}`"),
        )
        for member in one.members
    ]
    head = [*_comment(f"{one.name}: {one.doc}"), f"type {one.name} struct {{"]
    return [*head, *_fields(fields), "}"]


def _tag(member: Member, *, is_params: bool) -> str:
    if member.required and not member.nullable:
        return f'"{member.name}"'
    return f'"{member.name},{"omitempty" if is_params else "omitzero"}"'


def _of(member: Member) -> str:
    """Give the type of a field. Null and absent are its zero value."""
    if len(member.types) > 1:
        return "json.RawMessage"
    [one] = member.types
    return _named(one, pointer=one.name in _POINTERS or not member.required)


def _named(one: Type, *, pointer: bool = False) -> str:
    name = _PLAIN.get(one.name, one.name)
    is_struct = one.named and not one.words and one.name != PAYLOAD
    if one.many:
        return f"[]*{name}" if is_struct else f"[]{name}"
    return f"*{name}" if is_struct and pointer else name


def _fields(fields: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    """Give lines of cells under their comments. What no comment parts is aligned."""
    run: list[tuple[str, ...]] = []
    for doc, cells in fields:
        if doc:
            yield from _aligned(run)
            run = []
            yield from _comment(doc, indent="\t")
        run.append(cells)
    yield from _aligned(run)


def _aligned(rows: Sequence[tuple[str, ...]], indent: str = "\t") -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = map(str.ljust, row, widths)
        yield indent + " ".join(cells).rstrip()


def _comment(prose: str, indent: str = "") -> list[str]:
    room = WIDTH - 3 - 4 * len(indent)
    return [f"{indent}// {line}".rstrip() for line in wrapped(prose.replace("`", ""), room)]


def _methods(contract: Contract) -> Iterator[list[str]]:
    yield ["import (", '\t"context"', '\t"encoding/json"', '\t"iter"', ")"]
    services = {service: f"{exported(service)}Service" for service in contract.services}
    yield [
        "// Services are the methods of the sidecar, by namespace.",
        "type Services struct {",
        *_aligned([(exported(name), f"*{service}") for name, service in services.items()]),
        "}",
    ]
    made = [(f"{exported(name)}:", f"&{service}{{client}},") for name, service in services.items()]
    yield [
        "func newServices(client *Client) Services {",
        "\treturn Services{",
        *_aligned(made, indent="\t\t"),
        "\t}",
        "}",
    ]
    for name, service in services.items():
        yield [
            f"// {service} has the methods {name}.*.",
            f"type {service} struct{{ client *Client }}",
        ]
        for method in contract.services[name]:
            yield _stub(service, method)
            if method.items is not None:
                yield _all(service, method, method.items)
    yield from _notices(contract)
    rows = [(f'"{method.name}":', "true,") for method in contract.methods if method.open_ended]
    yield [
        "// openEnded are the methods that stay open until something happens.",
        "var openEnded = map[string]bool{",
        *_aligned(rows),
        "}",
    ]


def _stub(service: str, method: Method) -> list[str]:
    name = exported(method.verb)
    doc = f"{name} calls {method.name}: {lowered(method.summary)}"
    takes, given = "ctx context.Context", "nil"
    if method.params is not None:
        takes, given = f"{takes}, params {method.params.name}", "params"
    call = f'(ctx, s.client, "{method.name}", {given})'
    if method.notifications:
        assert method.result is not None
        doc += (
            " Nothing is sent before the loop begins. The watch ends with the loop, with ctx, or"
            f" by an error; a *{method.result.name} comes last where it ended otherwise. An empty"
            " Watch is given a name. A slow loop is told the newest state of each event, so"
            " Sequence may skip, and need not rise."
        )
        gives = "iter.Seq2[Notice, error]"
        body = [
            f'\treturn watch(ctx, s.client, "{method.name}", params.Watch,'
            " func(name string) any {",
            "\t\tparams := params // a sequence may be ranged over twice at once",
            "\t\tparams.Watch = name",
            "\t\treturn params",
            f"\t}}, func() Notice {{ return new({method.result.name}) }})",
        ]
    elif method.result is None:
        gives = "error"
        body = [f'\treturn invoke(ctx, s.client, "{method.name}", {given}, nil)']
    elif method.nullable:
        doc += " Null is a nil pointer."
        gives = f"(*{method.result.name}, error)"
        body = [f"\treturn value[*{method.result.name}]{call}"]
    elif method.result.named:
        gives = f"(*{method.result.name}, error)"
        body = [f"\treturn object[{method.result.name}]{call}"]
    else:
        plain = _PLAIN[method.result.name]
        gives, body = f"({plain}, error)", [f"\treturn value[{plain}]{call}"]
    if method.errors:
        kinds = ", ".join(f"Kind{exported(kind)}" for kind in method.errors)
        doc += f"\n\nKinds of its errors, beside those of every call: {kinds}."
    head = f"func (s *{service}) {name}({takes}) {gives} {{"
    return [*_comment(doc), head, *body, "}"]


def _all(service: str, method: Method, items: Member) -> list[str]:
    name, field = exported(method.verb), exported(items.name)
    item = _named(items.types[0]).removeprefix("[]")
    doc = (
        f"{name}All iterates over the {items.name} of {name}, from params.Cursor on. A page is"
        " fetched when it is needed; an error ends the loop."
    )
    assert method.params is not None
    takes = f"ctx context.Context, params {method.params.name}"
    return [
        *_comment(doc),
        f"func (s *{service}) {name}All({takes}) iter.Seq2[{item}, error] {{",
        f'\treturn pages("{method.name}", params.Cursor,'
        f" func(cursor string) ([]{item}, string, error) {{",
        "\t\tparams := params // a sequence may be ranged over twice at once",
        "\t\tparams.Cursor = cursor",
        f"\t\tpage, err := s.{name}(ctx, params)",
        "\t\tif err != nil {",
        '\t\t\treturn nil, "", err',
        "\t\t}",
        f"\t\treturn page.{field}, page.NextCursor, nil",
        "\t})",
        "}",
    ]


def _notices(contract: Contract) -> Iterator[list[str]]:
    told = [one.params for one in contract.notifications]
    ends = {
        method.result.name
        for method in contract.methods
        if method.notifications and method.result is not None
    }
    every = ", ".join(f"*{name}" for name in [*told, *ends])
    doc = f"Notice is what a watch tells: {every}; a newer version of this package may have more."
    yield [
        *_comment(doc),
        "type Notice interface {",
        "\t// watchName gives the name of the watch that it is for.",
        "\twatchName() string",
        "}",
    ]
    rows = [(f"func (n *{name}) watchName() string", "{ return n.Watch }") for name in told]
    rows += [(f"func (n *{name}) watchName() string", '{ return "" }') for name in sorted(ends)]
    yield list(_aligned(rows, indent=""))
    made = [
        (f'"{one.name}":', f"func() Notice {{ return new({one.params}) }},")
        for one in contract.notifications
    ]
    yield [
        "// notices makes what the params of a notification are read into.",
        "var notices = map[string]func() Notice{",
        *_aligned(made),
        "}",
    ]


def _stubs(contract: Contract) -> Iterator[list[str]]:
    rows = []
    for method in contract.methods:
        if method.notifications:
            how = "watches"
        elif method.result is None:
            how = "tells" if method.params is None else "acts"
        else:
            how = "asks" if method.params is None else "calls"
        called = f"c.{exported(method.service)}.{exported(method.verb)}"
        rows.append((f'"{method.name}":', f"func(c *Client) stub {{ return {how}({called}) }},"))
    yield [
        "// stubs are the methods as a transcript calls them: with the JSON of their params.",
        "var stubs = map[string]func(*Client) stub{",
        *_aligned(rows),
        "}",
    ]
