"""The services of a gateway, for those who manage them."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from credentials.models import SwitchedOff
from gateway import Gateway, ServiceRecord
from gateway.errors import GatewayError, NotFound, NotOffered, SignedOut
from gateway.types import Rows

READERS = frozenset({"admin", "tenant_admin", "agent_creator"})
WRITERS = frozenset({"admin", "tenant_admin"})
"""Who is offered what. Whether they really may, the gateway says."""

MOST_SWITCHED_OFF = 50  # that one page asks for
MOST_AT_ONCE = 8  # calls


def may_read(roles: Iterable[str]) -> bool:
    return not READERS.isdisjoint(roles)


def may_write(roles: Iterable[str]) -> bool:
    return not WRITERS.isdisjoint(roles)


def all_services(gateway: Gateway, tenant: str) -> Rows[ServiceRecord]:
    """By name: those the gateway lists, and those remembered as switched off, as the gateway has them now."""
    records = gateway.service_records()
    listed = [record.id for record in records]
    remembered = SwitchedOff.objects.filter(gateway=gateway.url, tenant__in={"", tenant})
    ids = list(remembered.exclude(service_id__in=listed).values_list("service_id", flat=True)[:MOST_SWITCHED_OFF])
    if ids:
        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            found = dict(zip(ids, pool.map(lambda service_id: _found(gateway, service_id), ids), strict=True))
        remembered.filter(service_id__in=[service_id for service_id in ids if _is_gone(found[service_id])]).delete()
        records += [record for record in found.values() if isinstance(record, ServiceRecord)]
    known = Rows(sorted(records, key=lambda record: (record.name.casefold(), record.service)))
    known.unreadable = records.unreadable
    return known


def remember(gateway: Gateway, record: ServiceRecord) -> None:
    """Keep in mind what is switched off, since no list of the gateway has it any more."""
    if record.is_active:
        forget(gateway, record.id)
    else:
        SwitchedOff.objects.update_or_create(
            gateway=gateway.url, service_id=record.id, defaults={"tenant": record.tenant}
        )


def forget(gateway: Gateway, service_id: str) -> None:
    SwitchedOff.objects.filter(gateway=gateway.url, service_id=service_id).delete()


def _found(gateway: Gateway, service_id: str) -> ServiceRecord | GatewayError:
    try:
        return gateway.service_record(service_id)
    except SignedOut:
        raise
    except GatewayError as problem:
        return problem


def _is_gone(found: ServiceRecord | GatewayError) -> bool:
    return isinstance(found, NotFound) and not isinstance(found, NotOffered)
