"""The tools behind the gateway: who serves them, who may use them, and using one."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from gateway.calls.wire import Wire, part, query
from gateway.records import AccessRule, Tool, ToolProvider
from gateway.types import Rows, mapping_of, readable, rows_of

if TYPE_CHECKING:
    import mcp


class Tools(Wire):
    __slots__ = ()

    def tool_providers(self) -> Rows[ToolProvider]:
        """The tool servers of one's own tenant; open to everybody who is signed in."""
        return readable(rows_of(self._ask("GET", "admin/tool-providers"), "providers"), ToolProvider.from_doc)

    def tool_provider(self, provider_id: str) -> ToolProvider:
        """Raises NotFound, also for one of another tenant."""
        doc = mapping_of(self._ask("GET", f"admin/tool-providers/{part(provider_id)}"), "provider")
        return ToolProvider.from_doc(mapping_of(doc.get("provider"), "provider"))

    def tools_of(self, provider_id: str) -> Rows[Tool]:
        """As the server lists them now, whoever may use them. Raises GatewayUnavailable when it does not answer, also
        when it wants a session first."""
        return readable(
            rows_of(self._ask("GET", f"admin/tool-providers/{part(provider_id)}/tools"), "tools"), Tool.from_doc
        )

    def access_rules(self, *, provider_id: str = "", subject: str = "") -> Rows[AccessRule]:
        """Who may use which tool, as far as the filters match. Raises NotAllowed for people without roles."""
        path = f"admin/provider-access{query(provider_id=provider_id, subject_id=subject)}"
        return readable(rows_of(self._ask("GET", path), "rules"), AccessRule.from_doc)

    def access_rule(self, rule_id: str) -> AccessRule:
        """Raises NotFound."""
        doc = mapping_of(self._ask("GET", f"admin/provider-access/{part(rule_id)}"), "rule")
        return AccessRule.from_doc(mapping_of(doc.get("rule"), "rule"))

    def use_tools(self, provider_id: str) -> AbstractAsyncContextManager[mcp.ClientSession]:
        """An MCP session with a tool server: `async with … as tools`, then `await tools.call_tool(…)`.

        A call that waits for an approval waits here too, up to the gateway's limit. Leaving the block raises NotFound,
        NotAllowed and the like for what the gateway refused inside it, GatewayUnavailable for what never reached it;
        a refusal by rule or by the tool server itself is an `mcp.MCPError`, a tool that failed a result that says so.
        """
        from gateway import proxy  # noqa: PLC0415  (mcp takes a second to import, and most processes never use it)

        return proxy.session(self._address(f"mcp-proxy/{part(provider_id)}/mcp"), self.token)
