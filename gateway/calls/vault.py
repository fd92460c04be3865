"""Credentials: what I have connected, how more is connected, and the services that can be."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from gateway.calls.wire import Wire, done, part
from gateway.errors import GatewayError, NotFound
from gateway.records import AUTH_TYPES, ServiceRecord, ServiceSettings
from gateway.types import Credential, CredentialCheck, Kind, Rows, Service, mapping_of, maybe_text, readable, rows_of


class Vault(Wire):
    __slots__ = ()

    def credentials(self) -> Rows[Credential]:
        return readable(rows_of(self._ask("GET", "credentials"), "credentials"), Credential.from_doc)

    def check_credential(self, service: str) -> CredentialCheck:
        doc = mapping_of(self._ask("GET", f"credentials/check/{part(service)}"), "check")
        provider = doc.get("provider")
        stored = doc.get("credential")
        return CredentialCheck(
            credential=Credential.from_doc(stored) if isinstance(stored, dict) else None,
            service=Service.from_provider({**provider, "serviceType": service}) if isinstance(provider, dict) else None,
            entry=maybe_text(doc, "authUrl"),
        )

    def store_key(self, service: Service, key: str) -> Credential:
        """Raises NotAccepted when the gateway does not want it; storing again replaces."""
        return self._store("credentials/apikey", service, {"apiKey": key})

    def store_token(self, service: Service, token: str, ends_at: datetime | None = None) -> Credential:
        """As `store_key`. Storing again without an end keeps the end that was told before."""
        ends = {"expiresAt": ends_at.isoformat()} if ends_at else {}
        return self._store("credentials/jwt", service, {"token": token, **ends})

    def _store(self, path: str, service: Service, secret: dict[str, str]) -> Credential:
        which = (
            {"providerId": service.id}
            if self.dialect().stores_by_provider and service.id
            else {"serviceType": service.service}
        )
        doc = done(self._ask("POST", path, {**which, **secret}), "credential")
        return Credential.from_doc(mapping_of(doc.get("credential"), "credential"))

    def delete_credential(self, credential_id: str) -> None:
        """Raises NotFound, and NotAllowed for somebody else's."""
        done(self._ask("DELETE", f"credentials/{part(credential_id)}"), "credential", "Credential deleted")

    def connect_address(self, entry: str) -> str:
        """The absolute address behind an `authUrls` entry, empty when this gateway cannot connect the service.

        `/auth/connect?service=…` is the application's own page and comes back as it is; the gateway's OAuth routes
        answer 501; any other relative entry belongs to the gateway.
        """
        try:
            parts = urlsplit(entry)
        except ValueError:
            return ""
        if parts.scheme and parts.scheme not in ("http", "https"):
            return ""
        if not parts.scheme and not parts.netloc and parts.path == "/auth/connect":
            return entry
        if not entry or parts.path.startswith("/api/v1/credentials/oauth/"):
            return ""
        return urljoin(self.url + "/", entry)

    # -- services ("credential providers") ----------------------------------------------------------------------

    def services(self) -> Rows[Service]:
        """Every service there is. Raises NotAllowed for people without roles, where the dialect is strict."""
        return readable(self._providers(), Service.from_provider)

    def service(self, service: str) -> Service:
        """One service by its type: the provider where this person may read it, else what `check` tells.

        Raises NotFound for a service that the gateway does not know.
        """
        try:
            return Service.from_provider(
                _provider(self._ask("GET", f"credential-providers/by-service/{part(service)}"))
            )
        except GatewayError as exc:
            if exc.status not in (403, 404):
                raise
        check = self.check_credential(service)
        if check.service is not None:
            return check.service
        if check.credential is not None:
            return Service(service, check.credential.name)
        raise NotFound

    def service_records(self) -> Rows[ServiceRecord]:
        """As `services`, with what those need who manage them; secrets are masked (MASK)."""
        return readable(self._providers(), ServiceRecord.from_provider)

    def service_record(self, service_id: str) -> ServiceRecord:
        """By the provider's id. Raises NotFound."""
        return ServiceRecord.from_provider(_provider(self._ask("GET", f"credential-providers/{part(service_id)}")))

    def create_service(
        self,
        service: str,
        name: str,
        kind: Kind,
        *,
        description: str = "",
        settings: ServiceSettings | None = None,
        tenant: str = "",
    ) -> ServiceRecord:
        """Make a service known, for the own tenant unless an admin names another.

        Raises Conflict for a type that is taken, NotAccepted with the reason, NotAllowed (admin and tenant_admin may).
        """
        given: dict[str, object] = {
            "description": description,
            "config": settings.to_doc(kind) if settings else None,
            "tenantId": tenant,
        }
        body = {
            "serviceType": service,
            "name": name,
            "authType": AUTH_TYPES.get(kind, ""),
            **{key: value for key, value in given.items() if value},
        }
        return ServiceRecord.from_provider(_provider(done(self._ask("POST", "credential-providers", body), "service")))

    def change_service(
        self,
        service: ServiceRecord,
        *,
        name: str | None = None,
        description: str | None = None,
        settings: ServiceSettings | None = None,
        is_active: bool | None = None,
    ) -> ServiceRecord:
        """Change what is given. A secret that is left masked in the settings keeps what is stored. Raises NotFound."""
        given: dict[str, object] = {"name": name, "isActive": is_active}
        body = {key: value for key, value in given.items() if value is not None}
        if description is not None:
            body["description"] = description or None
        if settings is not None:
            body["config"] = settings.to_doc(service.kind)
        answer = self._ask("PUT", f"credential-providers/{part(service.id)}", body)
        return ServiceRecord.from_provider(_provider(done(answer, "service")))

    def delete_service(self, service_id: str) -> None:
        """Its credentials stay behind as "unknown", and are of no use any more. Raises NotFound."""
        answer = self._ask("DELETE", f"credential-providers/{part(service_id)}")
        done(answer, "service", "Credential provider deleted")

    def _providers(self) -> list[Any]:
        return rows_of(self._ask("GET", "credential-providers"), "providers")


def _provider(answer: object) -> dict[str, object]:
    return dict(mapping_of(mapping_of(answer, "provider").get("provider"), "provider"))
