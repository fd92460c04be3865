"""What a person wants done with files, out of plain words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Action = Literal["list", "read", "rename", "delete", "wipe", "keep"]

VERBS: list[tuple[Action, str]] = [
    ("wipe", r"wipe|clear|empty|purge"),
    ("delete", r"delet\w*|remov\w*|eras\w*|trash\w*|get rid of|throw (?:away|out)|drop|bin|discard\w*"),
    ("rename", r"renam\w*|mov(?:e|ing)|call|change the name of|change"),
    ("read", r"read|open|print|cat|contents? of|what(?:'s| is| does it say) in|what does|summari[sz]e"),
    (
        "list",
        r"list|show|display|ls|dir|see|have i|do i have|(?:what|which)(?= +(?:files?|documents?|is there|are there))",
    ),
]
VERB = re.compile("|".join(rf"\b(?P<{action}>{words})(?=\W|$)" for action, words in VERBS), re.IGNORECASE)
NEGATION = re.compile(r"\b(don't|do not|dont|never|not|without)\s+(?:\w+\s+)?$", re.IGNORECASE)
QUOTED = re.compile("[\"'“\u2018`]([^\"'”\u2019`]+?\\.\\w{1,5})[\"'”\u2019`]")
NAME = re.compile(r"(?<![\w./])/?[\w-]+(?:[/.][\w-]+)*\.[A-Za-z]\w{0,4}(?![\w/])")
EVERYTHING = re.compile(
    r"\b(everything|all(?: (?:of )?(?:my|the|these|those))? ?(?:files|documents)?|every file)\b", re.I
)
FOLDER = re.compile(r"\b(?:in|from|folder|directory)\s+/?([\w-]+)/?(?=\s|$|[.,!?])", re.IGNORECASE)
NAMED_FOLDER = re.compile(r"/?\b([\w-]+)/?\s+(?:folder|directory)\b", re.IGNORECASE)
PRONOUN = re.compile(r"\b(?:it|them|both|these|those|this|that)\b", re.IGNORECASE)
COMMON = {"the", "my", "a", "this", "that", "which", "what", "all", "your", "here", "there", "it", "order"}


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing to do. `names` are as the person wrote them."""

    action: Action
    names: tuple[str, ...] = ()
    folder: str | None = None


def wishes(text: str, known: Sequence[str] = ()) -> list[Wish]:
    """What is wished for, in order; empty when nothing was understood.

    `known` are paths that exist: with them `the budget` finds `/budget.xlsx`.
    """
    verbs = list(VERB.finditer(without_names(text)))
    names = names_in(text, known)
    found: list[Wish] = []
    waiting = [name for at, name in names if verbs and at < verbs[0].start()]  # "notes.txt: delete it"
    for index, verb in enumerate(verbs):
        end = verbs[index + 1].start() if index + 1 < len(verbs) else len(text)
        segment = text[verb.end() : end]
        own = [name for at, name in names if verb.end() <= at < end]
        action = action_of(verb)
        if action == "rename" and len(own) == 1:
            own = waiting[-1:] + own  # "the budget should be renamed to costs.xlsx"
        if not own and (not found or PRONOUN.search(segment)):
            own = waiting
        wish = wish_for(action, own, text[: verb.start()], segment)
        if own:
            waiting = own
        if wish:
            found.append(wish)
    return merged(found)


def without_names(text: str) -> str:
    """The same text with blanks where files are named, since `list.txt` asks for no list."""
    for pattern in (QUOTED, NAME):
        text = pattern.sub(lambda match: " " * len(match.group()), text)
    return text


def action_of(verb: re.Match[str]) -> Action:
    return next(action for action, _ in VERBS if verb.group(action))


def wish_for(action: Action, names: list[str], before: str, segment: str) -> Wish | None:
    """One verb with its names and the words after it; None when it says nothing by itself."""
    is_about_all = bool(EVERYTHING.search(segment)) and not names
    if action in ("wipe", "delete", "rename") and NEGATION.search(before):
        return Wish("keep", tuple(names))
    if action == "wipe" and not names:
        return Wish("wipe", folder=folder_in(segment))
    if action in ("wipe", "delete"):
        if is_about_all or (not names and folder_in(segment)):
            return Wish("wipe", folder=folder_in(segment))
        return Wish("delete", tuple(names)) if names else None
    if action == "rename":
        return Wish("rename", (names[0], names[1])) if len(names) > 1 else None
    if names:
        return Wish("read", tuple(names))
    folder = folder_in(segment)
    return Wish("list", folder=folder) if action == "list" or folder else None


def merged(found: list[Wish]) -> list[Wish]:
    """Without repeats: "show me which files I have" lists once."""
    return [wish for index, wish in enumerate(found) if wish not in found[:index]]


def names_in(text: str, known: Sequence[str]) -> list[tuple[int, str]]:
    """Where in the text which file is named, in order."""
    names: dict[int, str] = {}
    taken: list[tuple[int, int]] = []

    def take(match: re.Match[str], name: str) -> None:
        if not any(start < match.end() and match.start() < end for start, end in taken):
            names[match.start()] = name
            taken.append(match.span())

    for match in QUOTED.finditer(text):
        take(match, match.group(1))
    for match in NAME.finditer(text):
        take(match, match.group())
    for path in sorted(known, key=lambda path: -len(stem(path))):
        words = r"[-_ ]".join(re.escape(part) for part in re.split(r"[-_ ]", stem(path)))
        for match in re.finditer(rf"(?<![\w./]){words}(?![\w./-])", text, re.IGNORECASE):
            take(match, path)
    for match in re.finditer(r"[A-Za-z]{4,}", text):
        alike = [path for path in known if match.group().lower() in re.split(r"[-_ ]", stem(path).lower())]
        if len(alike) == 1:
            take(match, alike[0])
    return sorted(names.items())


def stem(path: str) -> str:
    """`/old/draft.docx` is `draft`."""
    return path.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def resolved(name: str, known: Sequence[str]) -> str | None:
    """The path of a file that exists: exactly, by its last part, and whatever the case."""
    wanted = name.lower().strip("/")
    exact = [path for path in known if path.lower() == f"/{wanted}"]
    ending = [path for path in known if path.lower().endswith(f"/{wanted}")]
    found = exact or ending
    return found[0] if len(found) == 1 else None


def folder_in(segment: str) -> str | None:
    for pattern in (NAMED_FOLDER, FOLDER):
        for match in pattern.finditer(segment):
            if match.group(1).lower() not in COMMON:
                return f"/{match.group(1)}"
    return None
