"""How a person is named where it matters who they are: so that nobody else can look like them."""

from __future__ import annotations

import unicodedata

LONGEST_NAME = 60  # characters: what follows a name must stay in sight
LONGEST_EMAIL = 100  # characters: beyond, the id's end tells more
ID_TAIL = 8  # characters of an id that tell two people apart


def distinct_name(name: str, email: str, person_id: str) -> str:
    """ "Ana Lima (ana@acme.example)": anybody may call themself anything, but an email is one person's at a gateway.

    Where there is no email the id's end takes its place. A name that itself looks like an address is left out.
    """
    name = " ".join(name.split())
    name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME].rstrip()}…"
    email = email if len(email) <= LONGEST_EMAIL else ""
    proof = email or (f"id …{person_id[-ID_TAIL:]}" if len(person_id) > ID_TAIL else f"id {person_id}")
    if not name or name == email or "@" in unicodedata.normalize("NFKC", name):
        return email or person_id
    return f"{name} ({proof})"
