"""Full-text search over one's own conversations: SQLite's FTS5 or PostgreSQL's own, by what the database is.

`SearchText` holds what is searched, and its words (`agents.words`), which either database finds by an index. It is
brought up to date when somebody searches: nothing that writes a message or ends a run has to think of it, and a process
that dies leaves no gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.db.models.functions import Length
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from accounts.characters import legible
from accounts.models import User
from agents.models import ANSWER_SIZE, Conversation, Message, Run, SearchText, fitting
from agents.transcript import every, text_of
from agents.words import Term, folded, places_of, terms_of, words_of

T = TypeVar("T", bound=Model)

FOUND_AT_ONCE = 50  # hits on a page
LONGEST = 200_000  # characters of one text that are searched
MOST_WORDS = 800_000  # bytes of different words of one text; PostgreSQL refuses to index 1 MB
BEFORE, AFTER = 60, 120  # characters of a text that are shown around what was found
CUT = 20  # characters by which that may be more or less, not to cut a word
TRIES = 100  # places that may be the first one, of a term
AT_ONCE = 200  # rows written in one go

SQLITE = """
SELECT texts.id
FROM agents_searchtext_words AS words
JOIN agents_searchtext AS texts ON texts.id = words.rowid
JOIN agents_conversation AS conversation ON conversation.id = texts.conversation_id
WHERE agents_searchtext_words MATCH %s AND conversation.user_id = %s AND conversation.deleted_at IS NULL
ORDER BY conversation.updated_at DESC, texts.id DESC LIMIT %s OFFSET %s
"""
POSTGRESQL = """
SELECT texts.id
FROM agents_searchtext AS texts
JOIN agents_conversation AS conversation ON conversation.id = texts.conversation_id
WHERE array_to_tsvector(string_to_array(texts.words, ' ')) @@ %s::tsquery AND (' ' || texts.words) LIKE ALL (%s)
    AND conversation.user_id = %s AND conversation.deleted_at IS NULL
ORDER BY conversation.updated_at DESC, texts.id DESC LIMIT %s OFFSET %s
"""


@dataclass(frozen=True, slots=True)
class Hit:
    conversation: Conversation
    snippet: SafeString  # escaped, the words in <mark>
    message_id: int | None  # where it stands; None for a title
    version: int | None  # the edited message that replaced it, if one did


def find(user: User, asked: str, page: int = 1) -> tuple[list[Hit], bool]:
    """What holds all that was asked for, or words that begin with it; the newest conversations first.

    And whether there is more on a further page.
    """
    terms = terms_of(asked)
    if not terms:
        return [], False
    catch_up(user)
    window = [FOUND_AT_ONCE + 1, (page - 1) * FOUND_AT_ONCE]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(SQLITE, [_for_sqlite(terms), user.pk, *window])
        else:
            cursor.execute(POSTGRESQL, [*_for_postgresql(terms), user.pk, *window])
        found = [row for (row,) in cursor.fetchall()]
    related = ("conversation", "message", "run__message")
    texts = SearchText.objects.select_related(*related).defer("words", "run__parts").in_bulk(found[:FOUND_AT_ONCE])
    hits = [_hit(texts[row], terms) for row in found if row in texts]
    return hits, len(found) > FOUND_AT_ONCE


def _for_sqlite(terms: Iterable[Term]) -> str:
    return " ".join(f'"{" ".join(term)}"*' for term in terms)


def _for_postgresql(terms: Sequence[Term]) -> tuple[str, list[str]]:
    """A query of words, for the index, and patterns of words that follow each other: it keeps no order of them."""
    words = {f"'{word}'" for term in terms for word in term[:-1]} | {f"'{term[-1]}':*" for term in terms}
    return " & ".join(sorted(words)), [f"% {' '.join(term)}%" for term in terms]


def _hit(found: SearchText, terms: Sequence[Term]) -> Hit:
    message = found.run.message if found.run else found.message
    return Hit(
        found.conversation,
        snippet(found.text, terms),
        message.id if message else None,
        message.replaced_by_id if message else None,
    )


def snippet(text: str, terms: Sequence[Term]) -> SafeString:
    """What stands around the first place of each term, escaped, with all that was found in it marked."""
    plain = folded(text)
    first = (_first_place(text, plain, term) for term in terms)
    pieces: list[str] = []
    shown = 0
    for start, end in _windows(text, sorted(place for place in first if place)):
        pieces.append("…" if start > shown else "")
        pieces += _marked(text[start:end], terms)
        shown = end
    return mark_safe("".join([*pieces, "…" if shown < len(text) else ""]))  # noqa: S308  (escaped in `_marked`)


def _first_place(text: str, plain: str, term: Term) -> tuple[int, int] | None:
    """Looked for near each place that may be it, and in all of the text only where letters changed places."""
    size = sum(map(len, term))
    for found in islice(re.finditer(re.escape(term[0]), plain), TRIES):
        start = max(0, found.start() - CUT)
        nearby = list(words_of(text[start : found.start() + 2 * size + AFTER]))
        if place := next(places_of(term, nearby), None):
            return start + place[0], start + place[1]
    return next(places_of(term, list(words_of(text))), None)


def _marked(text: str, terms: Iterable[Term]) -> Iterator[str]:
    words = list(words_of(text))
    at = 0
    for begin, end in sorted({place for term in terms for place in places_of(term, words)}):
        if at <= begin:
            yield from (escape(legible(text[at:begin])), "<mark>", escape(legible(text[begin:end])), "</mark>")
            at = end
    yield escape(legible(text[at:]))


def _windows(text: str, places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The stretches of the text to show around these places; those that touch are one."""
    windows: list[tuple[int, int]] = []
    for begin, finish in places:
        start, end = max(0, begin - BEFORE), min(len(text), finish + AFTER)
        space = re.compile(r"\s").search(text, start, min(start + CUT, begin)) if start else None
        start = space.end() if space else start
        last = re.compile(r"\s(?=\S*\Z)").search(text, max(finish, end - CUT), end) if end < len(text) else None
        end = last.start() if last else end
        if windows and start <= windows[-1][1]:
            windows[-1] = windows[-1][0], max(end, windows[-1][1])
        else:
            windows.append((start, end))
    return windows


def catch_up(user: User) -> None:
    """Take in what this person and their agents said since the last search."""
    titled = SearchText.objects.filter(conversation=OuterRef("pk"), message=None, run=None)
    titles = Conversation.objects.filter(~Exists(titled), user=user)
    messages = Message.objects.filter(conversation__user=user, searchtext=None)
    runs = Run.objects.filter(message__conversation__user=user, searchtext=None).exclude(status__in=Run.OPEN)
    _take_in(_text(one.pk, one.title) for one in titles)
    for said in _some_at_once(messages, Length("text")):
        _take_in(_text(one.conversation_id, one.text, message_id=one.pk) for one in said)
    for ended in _some_at_once(runs.select_related("message"), ANSWER_SIZE):
        _take_in(_text(one.message.conversation_id, text_of(every(one.parts)), run_id=one.pk) for one in ended)


def _some_at_once(rows: QuerySet[T], size: Length) -> Iterator[Iterable[T]]:
    """As many as may be in memory together."""
    left = list(rows.order_by().values_list("pk", size))
    while left:
        count = min(AT_ONCE, fitting(length for _, length in left))
        yield rows.filter(pk__in=[pk for pk, _ in left[:count]])
        del left[:count]


def _take_in(texts: Iterable[SearchText]) -> None:
    """Unless there is nothing: then no transaction is begun."""
    SearchText.objects.bulk_create(list(texts), AT_ONCE, ignore_conflicts=True)  # another tab may be at it too


def retitle(conversation: Conversation) -> None:
    """The title was changed."""
    text = _kept(conversation.title)
    conversation.texts.filter(message=None, run=None).update(text=text, words=indexed(text))


def _text(conversation_id: UUID, text: str, **of: int | UUID) -> SearchText:
    """`of`: an id, as rows that know each other stay in memory long after they are done with."""
    kept = _kept(text)
    return SearchText(conversation_id=conversation_id, text=kept, words=indexed(kept), **of)


def _kept(text: str) -> str:
    """What a database takes: no NUL, and no half of a character."""
    return text[:LONGEST].replace("\0", "").encode(errors="replace").decode()


def indexed(text: str) -> str:
    """The words of a text in their order, with a space between, as many as can be indexed."""
    words: list[str] = []
    known: set[str] = set()
    size = 0  # bytes
    for word in words_of(text):
        if word.text not in known:
            known.add(word.text)
            size += len(word.text.encode())
            if size > MOST_WORDS:
                break
        words.append(word.text)
    return " ".join(words)
