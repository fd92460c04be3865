"""The MCP server with the file tools, stateless: each call stands for itself."""

from collections.abc import Mapping
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field
from starlette.types import ASGIApp

from embedded.agents.base import for_gateway_only
from embedded.agents.gateway_tools import END_USER
from embedded.file_store import FileStore, StoredFile
from embedded.ids import FILE_MANAGER

Path = Annotated[str, Field(description="The file's path, such as /report.pdf")]
Folder = Annotated[str, Field(description="A folder's path; / is all files")]


def app(store: FileStore, secret: str) -> ASGIApp:
    server = file_server(store)
    return for_gateway_only(server.streamable_http_app(stateless_http=True, json_response=True), secret)


def file_server(store: FileStore) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("Files", version="1.0", log_level="ERROR")

    @server.tool(description="List the files in a folder, with their sizes in bytes")
    async def list_files(ctx: Context[Any, Any], folder: Folder = "/") -> dict[str, Any]:
        person = person_of(ctx)
        files = store.of(person)
        return {"files": [{"path": path, "size": files[path].size} for path in store.within(person, folder)]}

    @server.tool(description="Read a text file")
    async def read_file(ctx: Context[Any, Any], path: Path) -> str:
        return existing(store.of(person_of(ctx)), path).text

    @server.tool(description="Give a file another path")
    async def rename_file(ctx: Context[Any, Any], path: Path, new_path: Path) -> str:
        files = store.of(person_of(ctx))
        existing(files, path)
        if new_path in files:
            raise ToolError(f"There is a file {new_path} already")
        files[new_path] = files.pop(path)
        return f"Renamed {path} to {new_path}"

    @server.tool(description="Delete a file for good")
    async def delete_file(ctx: Context[Any, Any], path: Path) -> str:
        files = store.of(person_of(ctx))
        existing(files, path)
        del files[path]
        return f"Deleted {path}"

    @server.tool(description="Delete all files of a folder for good")
    async def wipe_files(ctx: Context[Any, Any], folder: Folder = "/") -> str:
        person = person_of(ctx)
        doomed = store.within(person, folder)
        for path in doomed:
            del store.of(person)[path]
        return f"Deleted {len(doomed)} files"

    return server


def existing(files: Mapping[str, StoredFile], path: str) -> StoredFile:
    if path not in files:
        raise ToolError(f"There is no file {path}")
    return files[path]


def person_of(ctx: Context[Any, Any]) -> str:
    """Whose files. The gateway names the calling identity; its own agent says for whom it acts."""
    headers = ctx.headers or {}
    meta: Mapping[str, Any] = dict(ctx.request_context.meta or {})
    if headers.get("x-gateway-agent-id") == FILE_MANAGER and meta.get(END_USER):
        return str(meta[END_USER])
    return headers.get("x-user-id", "")
