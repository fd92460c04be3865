"""An answer as it is kept and shown: AG-UI events folded into a list of parts, in the order they came.

A part is a plain JSON object: `{"kind": "text"|"reasoning", "id", "text"}` or
`{"kind": "tool", "id", "name", "arguments", "result"}`, where `arguments` is the JSON text as the agent streamed it
and `result` is None until there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ag_ui.core import AssistantMessage, FunctionCall, ToolCall, ToolMessage

Part = dict[str, Any]


def text_part(part_id: str, kind: str = "text") -> Part:
    return {"kind": kind, "id": part_id, "text": ""}


def tool_part(call_id: str, name: str) -> Part:
    return {"kind": "tool", "id": call_id, "name": name, "arguments": "", "result": None}


def text_of(parts: Iterable[Part]) -> str:
    return "\n\n".join(part["text"] for part in parts if part["kind"] == "text" and part["text"])


def as_messages(run_id: str, parts: Sequence[Part]) -> list[AssistantMessage | ToolMessage]:
    """A finished answer as the AG-UI messages that tell an agent what was said before."""
    messages: list[AssistantMessage | ToolMessage] = []
    for number, part in enumerate(parts):
        message_id = f"{run_id}-{number}"
        if part["kind"] == "text" and part["text"]:
            messages.append(AssistantMessage(id=message_id, content=part["text"]))
        elif part["kind"] == "tool" and part["result"] is not None:
            call = FunctionCall(name=part["name"], arguments=part["arguments"] or "{}")
            messages.append(
                AssistantMessage(id=message_id, tool_calls=[ToolCall(id=part["id"], type="function", function=call)])
            )
            messages.append(ToolMessage(id=f"{message_id}-result", content=part["result"], tool_call_id=part["id"]))
    return messages
