"""Lists, reads, renames and deletes a person's files, through tools that the gateway guards."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from ag_ui.core import (
    BaseEvent,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)
from starlette.types import ASGIApp

from embedded.agents.base import WAITING, Asked, Events, ag_ui_app, say
from embedded.agents.file_language import Wish, resolved, wishes
from embedded.agents.gateway_tools import ToolAnswer, Tools
from embedded.ids import new_id

ARGUMENT_FRAGMENT = 12  # characters
HELP = (
    "I can **list** your files, **read** one, **rename** one, **delete** some or **wipe** everything. "
    "For example: `delete report.pdf`."
)


def app(secret: str, client: aiohttp.ClientSession, proxy_url: str, runtime_token: str) -> ASGIApp:
    async def converse(question: Asked) -> Events:
        tools = Tools(client, proxy_url, runtime_token, question.session_token, question.person_id)
        async for event in Conversation(tools, question.text).events():
            yield event

    return ag_ui_app(converse, secret)


class Conversation:
    """One run: understand, act, look what is there now, and say what happened."""

    def __init__(self, tools: Tools, text: str) -> None:
        self.tools = tools
        self.text = text
        self.answer = ToolAnswer("")
        self.listing: list[dict[str, Any]] = []
        self.paths: list[str] = []

    async def events(self) -> Events:
        wanted = wishes(self.text)
        if not wanted or any(wish.action in ("read", "rename", "delete") for wish in wanted):
            async for event in self.look():
                yield event
            wanted = wishes(self.text, self.paths)
        if not wanted:
            async for event in self.explain():
                yield event
            return
        for wish in wanted:
            async for event in self.fulfil(wish):
                yield event

    async def explain(self) -> Events:
        async for word in say(f"I did not find out what you want. {HELP}\n\n{self.inventory()}"):
            yield word

    def fulfil(self, wish: Wish) -> Events:
        match wish.action:
            case "list":
                return self.list_files(wish.folder or "/")
            case "read":
                return self.read(wish.names)
            case "rename":
                return self.rename(*wish.names)
            case "delete":
                return self.delete(wish.names)
            case "wipe":
                return self.wipe(wish.folder or "/")
            case "keep":
                return say("All right, I leave that as it is. Nothing was changed.")

    async def list_files(self, folder: str) -> Events:
        async for event in self.look(folder):
            yield event
        async for word in say(self.inventory(folder)):
            yield word

    async def read(self, names: tuple[str, ...]) -> Events:
        for name in names:
            path = resolved(name, self.paths)
            if path is None:
                text = f"There is no file `{name}`.\n\n{self.inventory()}"
            else:
                async for event in self.call("read_file", {"path": path}):
                    yield event
                text = f"`{path}` says:\n\n```\n{self.answer.text}\n```\n"
                if self.answer.is_error:
                    text = f"I could not read `{path}`: {plain(self.answer.text)}"
            async for word in say(text):
                yield word

    async def rename(self, name: str, new_name: str) -> Events:
        path = resolved(name, self.paths)
        if path is None:
            async for word in say(f"There is no file `{name}`.\n\n{self.inventory()}"):
                yield word
            return
        new_path = absolute(new_name) if "/" in new_name else f"{path.rsplit('/', 1)[0]}/{new_name}"
        async for word in say(f"Renaming `{path}` to `{new_path}`."):
            yield word
        async for event in self.call("rename_file", {"path": path, "new_path": new_path}):
            yield event
        answer = self.answer
        async for event in self.look():
            yield event
        if new_path in self.paths and path not in self.paths:
            text = f"Done: `{path}` is now called `{new_path}`."
        else:
            text = f"`{path}` was **not** renamed. {plain(answer.text)}"
        async for word in say(f"{text}\n\n{self.inventory()}"):
            yield word

    async def delete(self, names: tuple[str, ...]) -> Events:
        """One call after another, since each may be answered differently."""
        results: list[str] = []
        answers: dict[str, ToolAnswer] = {}
        for name in names:
            path = resolved(name, self.paths)
            if path is None:
                results.append(f"- There is no file `{name}`.")
                continue
            async for word in say(f"Deleting `{path}`."):
                yield word
            async for event in self.call("delete_file", {"path": path}):
                yield event
            answers[path] = self.answer
        async for event in self.look():
            yield event
        results += [self.result_of_deleting(path, answer) for path, answer in answers.items()]
        async for word in say("\n".join(results) + f"\n\n{self.inventory()}"):
            yield word

    def result_of_deleting(self, path: str, answer: ToolAnswer) -> str:
        if path in self.paths:
            return f"- `{path}` is **still there**. {plain(answer.text)}"
        if answer.is_error:
            return f"- `{path}` is not there any more. {plain(answer.text)}"
        return f"- `{path}` is gone."

    async def wipe(self, folder: str) -> Events:
        where = "all your files" if folder == "/" else f"everything in `{folder}`"
        async for word in say(f"Wiping {where}."):
            yield word
        async for event in self.call("wipe_files", {"folder": folder}):
            yield event
        answer = self.answer
        async for event in self.look():
            yield event
        left = [path for path in self.paths if path.startswith(folder.rstrip("/") + "/")]
        if left:
            text = f"Nothing was wiped. {plain(answer.text)}"
        else:
            text = f"Done: {where} are gone." if folder == "/" else f"Done: {where} is gone."
        async for word in say(f"{text}\n\n{self.inventory()}"):
            yield word

    async def look(self, folder: str = "/") -> Events:
        """List the files, and know them afterwards."""
        async for event in self.call("list_files", {"folder": folder}):
            yield event
        self.listing = [] if self.answer.is_error else json.loads(self.answer.text)["files"]
        self.paths = [file["path"] for file in self.listing]

    async def call(self, tool: str, arguments: dict[str, Any]) -> Events:
        """Announce a call, make it, wait as long as it is held, and show its result."""
        call_id = new_id()
        async for event in announced(call_id, tool, arguments):
            yield event
        async for answer in self.tools.call(tool, arguments):
            if answer is None:
                yield WAITING
            else:
                self.answer = answer
        yield ToolCallResultEvent(message_id=new_id(), tool_call_id=call_id, content=self.answer.text, role="tool")

    def inventory(self, folder: str = "/") -> str:
        if self.answer.is_error:
            return f"I could not list your files: {plain(self.answer.text)}"
        if not self.listing:
            return "There are no files." if folder == "/" else f"There is nothing in `{folder}`."
        rows = "\n".join(f"| `{file['path']}` | {size(file['size'])} |" for file in self.listing)
        return f"You have {len(self.listing)} files:\n\n| File | Size |\n| --- | ---: |\n{rows}\n"


async def announced(call_id: str, tool: str, arguments: dict[str, Any]) -> AsyncIterator[BaseEvent]:
    yield ToolCallStartEvent(tool_call_id=call_id, tool_call_name=tool)
    text = json.dumps(arguments, ensure_ascii=False)
    for start in range(0, len(text), ARGUMENT_FRAGMENT):
        yield ToolCallArgsEvent(tool_call_id=call_id, delta=text[start : start + ARGUMENT_FRAGMENT])
    yield ToolCallEndEvent(tool_call_id=call_id)


def absolute(name: str) -> str:
    return name if name.startswith("/") else f"/{name}"


def plain(text: str) -> str:
    """A tool's answer as part of a sentence."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def size(count: int) -> str:
    """`512 B`, `21 kB`, `1.4 MB`."""
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB"
    return f"{count / 1_000_000:.1f} MB"
