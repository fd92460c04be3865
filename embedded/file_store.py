"""Everybody's files, in memory."""

from dataclasses import dataclass

BINARY = "(This is not a text file.)"


@dataclass(slots=True)
class StoredFile:
    size: int  # bytes
    text: str = BINARY


def text_file(text: str) -> StoredFile:
    return StoredFile(len(text.encode()), text)


def first_files() -> dict[str, StoredFile]:
    """What a person finds at first, by path."""
    return {
        "/budget.xlsx": StoredFile(48_213),
        "/meeting-notes.md": text_file(
            "# Monday\n\n- The launch moves to the 14th\n- Olu asks the printer for a second offer\n"
        ),
        "/notes.txt": text_file("Call the dentist.\nBuy stamps.\nAsk Bo about the report.\n"),
        "/report.pdf": StoredFile(248_301),
        "/photos/team.jpg": StoredFile(1_402_880),
        "/old/draft.docx": StoredFile(31_744),
        "/old/invoice-0042.pdf": StoredFile(87_110),
        "/old/report-2024.pdf": StoredFile(201_556),
    }


class FileStore:
    def __init__(self) -> None:
        self.by_person: dict[str, dict[str, StoredFile]] = {}

    def of(self, person_id: str) -> dict[str, StoredFile]:
        """A person's files by path; whoever comes for the first time finds some."""
        return self.by_person.setdefault(person_id, first_files())

    def within(self, person_id: str, folder: str) -> list[str]:
        prefix = "/" if folder.strip("/") == "" else f"/{folder.strip('/')}/"
        return sorted(path for path in self.of(person_id) if path.startswith(prefix))
