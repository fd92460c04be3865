"""Server-sent events out of bytes: the same events wherever the network cuts them."""

from __future__ import annotations

import pytest

from gateway.errors import StreamMalformed
from gateway.sse import LARGEST_EVENT, Reader, ServerSentEvent

STREAM = (
    "\ufeff: a comment\n"
    "\n"
    "data: one\n\n"
    "event: named\r\nid: 7\r\nretry: 10\r\ndata: first line\r\ndata:second line\r\n\r\n"
    "data\rdata: after an empty line\r\r"
    "\n\n"
    "nonsense: x\nnonsense\n\n"
    "event: without data\n\n"
    "event:\ndata:  two spaces, ünïcode 🜚\n\n"
    "data: a colon: here\n\n"
    "data: last, without a blank line"
).encode()
EVENTS = [
    ("message", "one"),
    ("named", "first line\nsecond line"),
    ("message", "\nafter an empty line"),
    ("message", " two spaces, ünïcode 🜚"),
    ("message", "a colon: here"),
    ("message", "last, without a blank line"),
]


def read(*chunks: bytes) -> list[tuple[str, str]]:
    reader = Reader()
    events: list[ServerSentEvent] = []
    for chunk in chunks:
        events += reader.feed(chunk)
    events += reader.close()
    return [(sent.event, sent.data.decode()) for sent in events]


def test_a_stream_in_one_piece() -> None:
    assert read(STREAM) == EVENTS


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_pieces_of_any_size_give_the_same_events(size: int) -> None:
    assert read(*(STREAM[start : start + size] for start in range(0, len(STREAM), size))) == EVENTS


def test_a_cut_at_any_byte_gives_the_same_events() -> None:
    for cut in range(len(STREAM) + 1):
        assert read(STREAM[:cut], STREAM[cut:]) == EVENTS, f"cut at {cut}"
        assert read(STREAM[:cut], b"", STREAM[cut:]) == EVENTS, f"cut at {cut}, with nothing between"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_every_line_end_is_one(end: str) -> None:
    stream = end.join(["event: a", "data: 1", "data: 2", "", "data: 3", "", ""]).encode()
    assert read(stream) == [("a", "1\n2"), ("message", "3")]
    assert read(*(bytes([byte]) for byte in stream)) == [("a", "1\n2"), ("message", "3")]


def test_an_event_is_given_as_soon_as_its_blank_line_is_there() -> None:
    reader = Reader()
    assert reader.feed(b"data: 1\n") == []
    assert [sent.data for sent in reader.feed(b"\ndata: 2")] == [b"1"]
    assert [sent.data for sent in reader.feed(b"\r\r")] == [b"2"]


def test_a_mark_of_byte_order_counts_at_the_very_start_only() -> None:
    assert read("\ufeffdata: 1\n\n\ufeffdata: 2\n\ndata: 3\n\n".encode()) == [("message", "1"), ("message", "3")]


def test_nothing_gives_nothing() -> None:
    assert read() == read(b"") == read(b"\n\n\n") == read(b": only a comment") == []


def test_an_event_that_never_ends_is_given_up() -> None:
    reader = Reader()
    reader.feed(b"data: ")
    with pytest.raises(StreamMalformed):
        for _ in range(LARGEST_EVENT // 1000 + 2):
            reader.feed(b"x" * 1000)


def test_an_event_that_is_too_large_is_refused_in_one_piece_too() -> None:
    with pytest.raises(StreamMalformed):
        Reader().feed(b"data: " + b"x" * (LARGEST_EVENT + 1) + b"\n\n")
