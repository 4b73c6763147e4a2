"""The shapes of events: which fields an object has, of which type, and which of them it needs. Made from the Structs."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from msgspec import inspect

from ledger.event_structs import AMOUNT_OPTIONAL, EVENTS
from ledger.nested_values import Value
from ledger.outcomes import OutcomeCode


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value has to be: a string, an integer, a list of items of one shape, or an object of named fields."""

    type: type
    items: "Shape | None" = None
    fields: dict[str, "Shape"] = field(default_factory=dict)
    required: frozenset[str] = frozenset()


def _shape(type_: inspect.Type) -> Shape:
    if isinstance(type_, inspect.Metadata):
        return _shape(type_.type)
    if isinstance(type_, inspect.UnionType):  # of something and None
        return _shape(type_.types[0])
    if isinstance(type_, inspect.StructType):
        fields = {each.name: _shape(each.type) for each in type_.fields}
        required = frozenset(each.name for each in type_.fields if each.required)
        if type_.tag is not None:
            return Shape(dict, fields={"type": Shape(str)} | fields, required=required | {"type"})
        return Shape(dict, fields=fields, required=required)
    if isinstance(type_, inspect.VarTupleType):
        return Shape(list, items=_shape(type_.item_type))
    return Shape(int if isinstance(type_, inspect.IntType) else str)


def _tag(struct: type[msgspec.Struct]) -> str:
    return str(struct.__struct_config__.tag)


SHAPES: dict[str, Shape] = {_tag(struct): _shape(inspect.type_info(struct)) for struct in EVENTS}
LEG_SHAPE = SHAPES["transfer"].fields["legs"].items

# An event whose type cannot be known may have any field, and lacks what every event has.
UNTYPED = Shape(
    dict,
    fields={name: shape for each in SHAPES.values() for name, shape in each.fields.items()},
    required=frozenset.intersection(*(each.required for each in SHAPES.values())),
)


def first_fault(named: dict[str, Value]) -> OutcomeCode:
    """Return the first refusal, in the order of ``OutcomeCode``, of an event without the fields of its type; else ``applied``."""
    event_type = named.get("type")
    if isinstance(event_type, str) and event_type not in SHAPES:
        return OutcomeCode.event_type_unknown
    return min(_faults(named, shape_of(event_type)), default=OutcomeCode.applied)


def shape_of(event_type: Value) -> Shape:
    """Return the shape of the events of a type; ``UNTYPED`` where there is no such type."""
    return SHAPES.get(event_type, UNTYPED) if isinstance(event_type, str) else UNTYPED


def _faults(value: Value, shape: Shape) -> Iterator[OutcomeCode]:
    if type(value) is not shape.type:
        yield OutcomeCode.field_type_wrong
    elif isinstance(value, list) and shape.items:
        for item in value:
            yield from _faults(item, shape.items)
    elif isinstance(value, dict):
        yield from _faults_of_fields(value, shape)


def _faults_of_fields(named: dict[str, Value], shape: Shape) -> Iterator[OutcomeCode]:
    if not named.keys() <= shape.fields.keys():
        yield OutcomeCode.field_unknown
    if not shape.required <= named.keys() or (shape is LEG_SHAPE and not _has_amount(named)):
        yield OutcomeCode.field_missing
    for name, value in named.items():
        if name in shape.fields and not (value is None and name not in shape.required):
            yield from _faults(value, shape.fields[name])


def _has_amount(leg: dict[str, Value]) -> bool:
    flags = leg.get("flags")
    if leg.get("amount_fen") is None and isinstance(flags, list):
        return any(flag in AMOUNT_OPTIONAL for flag in flags if isinstance(flag, str))
    return leg.get("amount_fen") is not None
