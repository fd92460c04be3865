"""`/api/v1/notifications/devices`: where push messages would go. None are sent."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded.auth import Caller
from embedded.clock import iso
from embedded.ids import new_id
from embedded.replies import present, read_json_as_it_comes, sentence
from embedded.routes import flexible_route
from embedded.state import Device, Gateway

PLATFORMS = {"ios", "macos", "android"}


def routes() -> list[Route]:
    base = "/api/v1/notifications/devices"
    return [
        flexible_route("GET", base, list_devices),
        flexible_route("POST", base, register),
        flexible_route("DELETE", f"{base}/{{device_id}}", remove),
    ]


async def list_devices(gateway: Gateway, _: Request, caller: Caller) -> JSONResponse:
    own = [device for device in gateway.devices.values() if device.person_id == caller.id]
    data = [
        present(id=device.id, platform=device.platform, deviceName=device.name, createdAt=iso(device.created_at))
        for device in own
    ]
    return JSONResponse({"data": data})


async def register(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    body = await read_json_as_it_comes(request)
    fields = body if isinstance(body, dict) else {}
    if not fields.get("platform") or not fields.get("pushToken"):
        raise sentence(400, "Bad Request", message="platform and pushToken are required")
    if fields["platform"] not in PLATFORMS:
        raise sentence(400, "Bad Request", message="platform must be ios, macos, or android")
    device = Device(new_id(), caller.id, fields["platform"], fields.get("deviceName"))
    gateway.devices[device.id] = device
    return JSONResponse({"data": {"id": device.id}}, 201)


async def remove(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """It removes one's own device, and says that it did not find it."""
    device = gateway.devices.get(request.path_params["device_id"])
    if device is not None and device.person_id == caller.id:
        del gateway.devices[device.id]
    raise sentence(404, "Not Found", message="Device not found or not owned by you")
