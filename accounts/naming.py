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
    is_email = name == email
    name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME].rstrip()}…"
    email = email if len(email) <= LONGEST_EMAIL else ""
    email = _plainly(email)
    proof = email or (f"id …{person_id[-ID_TAIL:]}" if len(person_id) > ID_TAIL else f"id {person_id}")
    if not name or is_email or "@" in unicodedata.normalize("NFKC", name):
        return email or person_id
    return f"{name} ({proof})"


def _plainly(email: str) -> str:
    """Latin letters that pass for plain ones, such as alpha for "a", written out: gateways take any unused email.

    Those with accents stay; what looks like Latin and is not, is marked where it is shown.
    """
    return "".join(f"⟨{one} U+{ord(one):04X}⟩" if _passes_for_plain(one) else one for one in email)


def _passes_for_plain(letter: str) -> bool:
    is_latin = "LATIN" in unicodedata.name(letter, "")
    return not letter.isascii() and is_latin and not unicodedata.normalize("NFD", letter)[0].isascii()
