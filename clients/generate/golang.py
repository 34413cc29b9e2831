"""The types and method stubs of the Go client, formatted as by gofmt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from clients.generate.contract import PAYLOAD, Contract, Enum, Member, Method, Object, Type
from clients.generate.text import GENERATED, exported, lowered, third_person, wrapped

WIDTH = 96

_PRIMITIVES = {
    "boolean": "bool",
    "integer": "int",
    "number": "float64",
    "object": "json.RawMessage",
    "string": "string",
    "timestamp": "time.Time",
}
_OPEN_ENUM = "A newer sidecar may send other values."
_POINTERS = frozenset({"Error"})
"""Types that have methods with a pointer receiver."""


def files(contract: Contract) -> dict[str, str]:
    """Return the contents of the generated files, by name."""
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
        "// ProtocolVersion is the version of the wire contract that this package implements.",
        f'const ProtocolVersion = "{contract.protocol_version}"',
    ]
    subjects = {
        method.params.name: (
            f"are the params of [{_service_type(method.service)}.{exported(method.verb)}]:"
        )
        for method in contract.methods
        if method.params is not None
    }
    subjects |= {
        note.params: f"is the notification {note.name}:" for note in contract.notifications
    }
    error_docs = {error.kind: error.doc for error in contract.errors}
    for type_ in contract.types:
        name = type_.name
        subject = f"{name} {subjects.get(name, _to_be(name))} {lowered(type_.doc)}"
        if isinstance(type_, Enum):
            yield [*_comment(f"{subject}\n\n{_OPEN_ENUM}"), f"type {name} string"]
            yield _constants(type_, error_docs if name == "ErrorKind" else {})
        elif isinstance(type_, Object):
            yield [*_comment(subject), *_struct(type_)]


def _service_type(service: str) -> str:
    """Return the type of a service; `sidecar.SidecarService` would repeat the package's name."""
    return f"{exported(service)}Service".removeprefix("Sidecar")


def _to_be(name: str) -> str:
    """Return the verb after the name of a type; a plural like `Counters` takes `are`."""
    return "are" if name.endswith("s") and not name.endswith("us") else "is"


def _constants(enum: Enum, docs: dict[str, str]) -> list[str]:
    prefix = "Kind" if enum.name == "ErrorKind" else enum.name
    fields = []
    for value in enum.values:
        name = prefix + exported(value)
        doc = f"{name} means: {lowered(docs[value])}" if value in docs else ""
        fields.append((doc, (name, enum.name, f'= "{value}"')))
    return ["const (", *_fields(fields), ")"]


def _struct(object_: Object) -> list[str]:
    is_params = object_.is_sent
    fields = [
        (
            member.doc,
            (
                exported(member.name),
                _member_type(member),
                f"`json:{_tag(member, is_params=is_params)}`",
            ),
        )
        for member in object_.members
    ]
    return [f"type {object_.name} struct {{", *_fields(fields), "}"]


def _tag(member: Member, *, is_params: bool) -> str:
    if member.required and not member.nullable:
        return f'"{member.name}"'
    return f'"{member.name},{"omitempty" if is_params else "omitzero"}"'


def _member_type(member: Member) -> str:
    """Return the type of a field. Null and absent are its zero value."""
    if len(member.types) > 1:
        return "json.RawMessage"
    [type_] = member.types
    return _type(type_, pointer=type_.name in _POINTERS or member.nullable or not member.required)


def _type(type_: Type, *, pointer: bool = False) -> str:
    name = _PRIMITIVES.get(type_.name, type_.name)
    is_struct = type_.named and not type_.is_enum and type_.name != PAYLOAD
    if type_.is_array:
        return f"[]*{name}" if is_struct else f"[]{name}"
    return f"*{name}" if is_struct and pointer else name


def _fields(fields: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    """Yield rows of cells below their comments. A comment starts a new aligned block."""
    block: list[tuple[str, ...]] = []
    for doc, cells in fields:
        if doc:
            yield from _aligned(block)
            block = []
            yield from _comment(doc, indent="\t")
        block.append(cells)
    yield from _aligned(block)


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
    services = {service: _service_type(service) for service in contract.services}
    yield [
        "// Services are the methods of the sidecar, by namespace.",
        "type Services struct {",
        *_aligned([(exported(name), f"*{service}") for name, service in services.items()]),
        "}",
    ]
    fields = [
        (f"{exported(name)}:", f"&{service}{{client}},") for name, service in services.items()
    ]
    yield [
        "func newServices(client *Client) Services {",
        "\treturn Services{",
        *_aligned(fields, indent="\t\t"),
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
                yield _pages_stub(service, method, method.items)
    yield from _notifications(contract)
    rows = [(f'"{method.name}":', "true,") for method in contract.methods if method.open_ended]
    yield [
        "// openEndedMethods are the methods whose calls may stay open indefinitely.",
        "var openEndedMethods = map[string]bool{",
        *_aligned(rows),
        "}",
    ]


def _stub(service: str, method: Method) -> list[str]:
    name = exported(method.verb)
    doc = f"{name} {lowered(third_person(method.summary))} It calls {method.name}."
    signature, argument = "ctx context.Context", "nil"
    if method.params is not None:
        signature, argument = f"{signature}, params {method.params.name}", "params"
    arguments = f'(ctx, s.client, "{method.name}", {argument})'
    if method.notifications:
        assert method.result is not None
        doc += (
            "\n\nThe request is sent when the iteration starts. The watch ends when the loop ends,"
            " when ctx is done, or with an error. Otherwise the last item is a"
            f" [*{method.result.name}]. If params.Watch is empty, a unique name is used. A slow"
            " loop gets only the latest state of each event, so Sequence can skip numbers and can"
            " decrease."
        )
        result = "iter.Seq2[WatchNotification, error]"
        body = [
            f'\treturn watch(ctx, s.client, "{method.name}", params.Watch,'
            " func(name string) any {",
            "\t\tparams := params // iterations may run concurrently",
            "\t\tparams.Watch = name",
            "\t\treturn params",
            f"\t}}, func() WatchNotification {{ return new({method.result.name}) }})",
        ]
    elif method.result is None:
        result = "error"
        body = [f'\treturn callMethod(ctx, s.client, "{method.name}", {argument}, nil)']
    elif method.nullable:
        doc += " The result null is returned as nil."
        result = f"(*{method.result.name}, error)"
        body = [f"\treturn callValue[*{method.result.name}]{arguments}"]
    elif method.result.named:
        result = f"(*{method.result.name}, error)"
        body = [f"\treturn callObject[{method.result.name}]{arguments}"]
    else:
        primitive = _PRIMITIVES[method.result.name]
        result, body = f"({primitive}, error)", [f"\treturn callValue[{primitive}]{arguments}"]
    if method.errors:
        kinds = ", ".join(f"[Kind{exported(kind)}]" for kind in method.errors)
        doc += f"\n\nError kinds in addition to those of every call: {kinds}."
    head = f"func (s *{service}) {name}({signature}) {result} {{"
    return [*_comment(doc), head, *body, "}"]


def _pages_stub(service: str, method: Method, items: Member) -> list[str]:
    name, field = exported(method.verb), exported(items.name)
    item = _type(items.types[0]).removeprefix("[]")
    doc = (
        f"{name}All returns an iterator over the {items.name} of all pages of [{service}.{name}],"
        " starting at params.Cursor. Each page is fetched when it is needed. An error ends the"
        " iteration."
    )
    assert method.params is not None
    signature = f"ctx context.Context, params {method.params.name}"
    return [
        *_comment(doc),
        f"func (s *{service}) {name}All({signature}) iter.Seq2[{item}, error] {{",
        f'\treturn pages("{method.name}", params.Cursor,'
        f" func(cursor string) ([]{item}, string, error) {{",
        "\t\tparams := params // iterations may run concurrently",
        "\t\tparams.Cursor = cursor",
        f"\t\tpage, err := s.{name}(ctx, params)",
        "\t\tif err != nil {",
        '\t\t\treturn nil, "", err',
        "\t\t}",
        f"\t\treturn page.{field}, page.NextCursor, nil",
        "\t})",
        "}",
    ]


def _notifications(contract: Contract) -> Iterator[list[str]]:
    params = [notification.params for notification in contract.of_watches]
    results = {
        method.result.name
        for method in contract.methods
        if method.notifications and method.result is not None
    }
    types = ", ".join(f"[*{name}]" for name in [*params, *results])
    doc = (
        f"WatchNotification is an item of a watch: {types}. A newer version of this package may"
        " have more types."
    )
    yield [
        *_comment(doc),
        "type WatchNotification interface {",
        "\t// watchName returns the name of the watch.",
        "\twatchName() string",
        "}",
    ]
    rows = [(f"func (n *{name}) watchName() string", "{ return n.Watch }") for name in params]
    rows += [(f"func (n *{name}) watchName() string", '{ return "" }') for name in sorted(results)]
    yield list(_aligned(rows, indent=""))
    constructors = [
        (f'"{note.name}":', f"func() WatchNotification {{ return new({note.params}) }},")
        for note in contract.of_watches
    ]
    yield [
        "// newNotifications returns values to decode the params of notifications into.",
        "var newNotifications = map[string]func() WatchNotification{",
        *_aligned(constructors),
        "}",
    ]


def _stubs(contract: Contract) -> Iterator[list[str]]:
    rows = []
    for method in contract.methods:
        if method.notifications:
            adapter = "watchStub"
        elif method.result is None:
            adapter = "bareStub" if method.params is None else "paramsStub"
        else:
            adapter = "resultStub" if method.params is None else "callStub"
        called = f"c.{exported(method.service)}.{exported(method.verb)}"
        rows.append(
            (f'"{method.name}":', f"func(c *Client) stub {{ return {adapter}({called}) }},")
        )
    yield [
        "// stubs are the methods with JSON params, as transcripts contain them.",
        "var stubs = map[string]func(*Client) stub{",
        *_aligned(rows),
        "}",
    ]
