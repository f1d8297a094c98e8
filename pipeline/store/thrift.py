"""Thrift's compact protocol (github.com/apache/thrift, doc/specs/thrift-compact-protocol.md), without a schema: what
is read is written again as it was."""

import struct
from typing import Any, NamedTuple

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)


class Value(NamedTuple):
    """A Thrift value with its type. Structures are dict[int, Value]; lists and sets (type of items, items); maps
    (type of keys, type of values, pairs)."""

    type: int
    value: Any


Struct = dict[int, Value]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def _byte(self) -> int:
        byte = self._data[self._at]
        self._at += 1
        return byte

    def _varint(self) -> int:
        result = shift = 0
        while True:
            byte = self._byte()
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7

    def _integer(self) -> int:
        zigzag = self._varint()
        return (zigzag >> 1) ^ -(zigzag & 1)

    def struct(self) -> Struct:
        fields: Struct = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = Value(head & 15, self._value(head & 15))
        return fields

    def _value(self, kind: int, in_list: bool = False) -> Any:
        if kind in (TRUE, FALSE):  # a field's truth is its type, an item's is a byte
            return self._byte() == TRUE if in_list else kind == TRUE
        if kind in (I16, I32, I64):
            return self._integer()
        if kind == BINARY:
            return self._take(self._varint())
        if kind == STRUCT:
            return self.struct()
        if kind in (LIST, SET):
            head = self._byte()
            size = head >> 4 if head >> 4 < 15 else self._varint()
            return head & 15, [self._value(head & 15, in_list=True) for _ in range(size)]
        if kind == BYTE:
            return self._byte()
        if kind == DOUBLE:
            return struct.unpack("<d", self._take(8))[0]
        if kind == MAP:
            size = self._varint()
            kinds = self._byte() if size else 0
            return kinds >> 4, kinds & 15, [
                (self._value(kinds >> 4, in_list=True), self._value(kinds & 15, in_list=True)) for _ in range(size)
            ]  # fmt: skip
        raise ValueError(f"no type of Thrift: {kind}")

    def _take(self, size: int) -> bytes:
        data = self._data[self._at : self._at + size]
        self._at += size
        if len(data) < size:
            raise IndexError
        return data


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _integer(number: int) -> bytes:
    return _varint(number << 1 if number >= 0 else ~number << 1 | 1)


def _encode_struct(fields: Struct, out: bytearray) -> None:
    before = 0
    for number in sorted(fields):
        kind, value = fields[number]
        if kind in (TRUE, FALSE):
            kind = TRUE if value else FALSE
        step = number - before
        out += bytes([step << 4 | kind]) if 0 < step < 16 else bytes([kind]) + _integer(number)
        if kind not in (TRUE, FALSE):
            _encode(kind, value, out)
        before = number
    out.append(0)


def _encode(kind: int, value: Any, out: bytearray) -> None:
    if kind in (TRUE, FALSE):
        out.append(TRUE if value else FALSE)
    elif kind in (I16, I32, I64):
        out += _integer(value)
    elif kind == BINARY:
        out += _varint(len(value)) + value
    elif kind == STRUCT:
        _encode_struct(value, out)
    elif kind in (LIST, SET):
        item, items = value
        out += bytes([len(items) << 4 | item]) if len(items) < 15 else bytes([0xF0 | item]) + _varint(len(items))
        for member in items:
            _encode(item, member, out)
    elif kind == BYTE:
        out.append(value)
    elif kind == DOUBLE:
        out += struct.pack("<d", value)
    else:
        key, item, pairs = value
        out += _varint(len(pairs)) + (bytes([key << 4 | item]) if pairs else b"")
        for first, second in pairs:
            _encode(key, first, out)
            _encode(item, second, out)


def decode(data: bytes) -> Struct:
    """A structure in Thrift's compact protocol. ValueError where it is none."""
    try:
        return _Reader(data).struct()
    except (IndexError, RecursionError):
        raise ValueError("no structure of Thrift's compact protocol") from None


def encode(fields: Struct) -> bytes:
    """`decode` undone, byte for byte where the fields were written in their order."""
    out = bytearray()
    _encode_struct(fields, out)
    return bytes(out)
