"""Full-text search over one's own conversations: SQLite's FTS5 or PostgreSQL's own, by what the database is.

`SearchText` holds what is searched. It is brought up to date when somebody searches: nothing that writes a message or
ends a run has to think of it, and a process that dies leaves no gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from agents.models import Conversation, Message, Run, SearchText
from agents.transcript import text_of

FOUND_AT_ONCE = 50  # hits on a page
LONGEST = 200_000  # characters of one text that are searched; PostgreSQL refuses to index without end
WORDS_ABOUT = 24  # in a snippet
BEGIN, END = "\x02", "\x03"  # around the words that were found
APART = "\x04"  # after each sign, or PostgreSQL takes tags, addresses and paths for words of their own, or for none
AT_ONCE = 200  # rows written in one go

SQLITE = """
SELECT words.rowid, snippet(agents_searchtext_words, 0, %s, %s, '…', %s)
FROM agents_searchtext_words AS words
JOIN agents_searchtext AS texts ON texts.id = words.rowid
JOIN agents_conversation AS conversation ON conversation.id = texts.conversation_id
WHERE agents_searchtext_words MATCH %s AND conversation.user_id = %s AND conversation.deleted_at IS NULL
ORDER BY conversation.updated_at DESC, words.rowid DESC LIMIT %s OFFSET %s
"""
POSTGRESQL = """
SELECT id, ts_headline('simple', text, to_tsquery('simple', %s), %s) FROM (
    SELECT texts.id, texts.text, conversation.updated_at
    FROM agents_searchtext AS texts
    JOIN agents_conversation AS conversation ON conversation.id = texts.conversation_id
    WHERE to_tsvector('simple', texts.text) @@ to_tsquery('simple', %s)
        AND conversation.user_id = %s AND conversation.deleted_at IS NULL
    ORDER BY conversation.updated_at DESC, texts.id DESC LIMIT %s OFFSET %s
) AS found ORDER BY updated_at DESC, id DESC
"""


@dataclass(frozen=True, slots=True)
class Hit:
    conversation: Conversation
    snippet: SafeString  # escaped, the words in <mark>
    message_id: int | None  # where it stands; None for a title
    version: int | None  # the edited message that replaced it, if one did


def find(user: User, asked: str, page: int = 1) -> tuple[list[Hit], bool]:
    """What holds all the words that were asked for, or their beginnings; the newest conversations first.

    And whether there is more on a further page.
    """
    words = re.findall(r"\w+", asked)
    if not words:
        return [], False
    catch_up(user)
    window = [FOUND_AT_ONCE + 1, (page - 1) * FOUND_AT_ONCE]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            query = " ".join(f'"{word}"*' for word in words)
            cursor.execute(SQLITE, [BEGIN, END, WORDS_ABOUT, query, user.pk, *window])
        else:
            query = " & ".join(f"'{word}':*" for word in words)
            options = f'StartSel="{BEGIN}", StopSel="{END}", MaxWords={WORDS_ABOUT}, MinWords=8'
            cursor.execute(POSTGRESQL, [query, options, query, user.pk, *window])
        rows = cursor.fetchall()
    snippets: dict[int, str] = dict(rows[:FOUND_AT_ONCE])
    related = ("conversation", "message", "run__message")
    texts = SearchText.objects.select_related(*related).defer("text", "run__parts").in_bulk(snippets)
    hits = [_hit(texts[row], snippet) for row, snippet in snippets.items() if row in texts]
    return hits, len(rows) > FOUND_AT_ONCE


def _hit(found: SearchText, snippet: str) -> Hit:
    message = found.run.message if found.run else found.message
    return Hit(
        found.conversation,
        _marked(snippet),
        message.id if message else None,
        message.replaced_by_id if message else None,
    )


def catch_up(user: User) -> None:
    """Take in what this person and their agents said since the last search."""
    titled = SearchText.objects.filter(conversation=OuterRef("pk"), message=None, run=None)
    titles = Conversation.objects.filter(~Exists(titled), user=user)
    messages = Message.objects.filter(conversation__user=user, searchtext=None)
    runs = Run.objects.filter(message__conversation__user=user, searchtext=None).exclude(status__in=Run.OPEN)
    fresh: Iterable[SearchText] = chain(
        (_text(one.pk, one.title) for one in titles),
        (_text(one.conversation_id, one.text, message=one) for one in messages.iterator()),
        (
            _text(one.message.conversation_id, text_of(one.parts), run=one)
            for one in runs.select_related("message").iterator()
        ),
    )
    for some in _batches(fresh):
        SearchText.objects.bulk_create(some, ignore_conflicts=True)  # another tab may be at it too


def retitle(conversation: Conversation) -> None:
    """The title was changed."""
    conversation.texts.filter(message=None, run=None).update(text=_kept(conversation.title))


def _text(conversation_id: UUID, text: str, **of: Message | Run) -> SearchText:
    return SearchText(conversation_id=conversation_id, text=_kept(text), **of)


def _kept(text: str) -> str:
    plain = re.sub("[\x00\x02-\x04]", "", text[:LONGEST])
    return re.sub(r"([^\w\s])", rf"\1{APART}", plain)


def _batches(rows: Iterable[SearchText]) -> Iterator[list[SearchText]]:
    some: list[SearchText] = []
    for row in rows:
        some.append(row)
        if len(some) == AT_ONCE:
            yield some
            some = []
    yield some


def _marked(snippet: str) -> SafeString:
    html = str(escape(snippet.replace(APART, ""))).replace(BEGIN, "<mark>").replace(END, "</mark>")
    return mark_safe(html)  # noqa: S308  (escaped above)
