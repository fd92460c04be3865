"""The gateway's own record of tool calls."""

from __future__ import annotations

from datetime import datetime

from gateway.calls.wire import Wire, part, query
from gateway.records import AuditEntry, AuditPage, AuditStats, CallStatus
from gateway.types import mapping_of, readable, rows_of


class Audit(Wire):
    __slots__ = ()

    def audit_log(
        self,
        *,
        user: str = "",
        tenant: str = "",
        tool: str = "",
        status: CallStatus | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> AuditPage:
        """The calls that match, newest first, a page of `limit`. Who is no admin sees only their own, whatever `user`
        and `tenant` say; an admin may name any tenant. The times have to be aware."""
        path = "audit/logs" + query(
            user_id=user,
            tenant_id=tenant,
            tool_name=tool,
            status=status,
            start_date=since.isoformat() if since else None,
            end_date=until.isoformat() if until else None,
            limit=limit,
            offset=offset or None,
        )
        rows = rows_of(self._ask("GET", path), "data")
        entries = tuple(readable(rows, AuditEntry.from_doc))
        # `pagination.total` is the size of this page: a full one may be followed by another.
        return AuditPage(entries, offset + limit if limit and len(rows) >= limit else None)

    def audit_entry(self, entry_id: str) -> AuditEntry:
        """Raises NotFound, and NotAllowed for somebody else's."""
        doc = mapping_of(self._ask("GET", f"audit/logs/{part(entry_id)}"), "entry")
        return AuditEntry.from_doc(mapping_of(doc.get("data"), "entry"))

    def audit_stats(self) -> AuditStats:
        """Raises NotAllowed for everybody but admins."""
        doc = mapping_of(self._ask("GET", "audit/stats"), "stats")
        return AuditStats.from_doc(mapping_of(doc.get("data"), "stats"))
