from django.urls import path

from accounts import converters  # noqa: F401  (registers `id`)
from credentials.views import connect, services, vault

app_name = "credentials"
urlpatterns = [
    path("", vault.vault, name="vault"),
    path("connect/<id:service>/", connect.connect, name="connect"),
    path("callback/", connect.callback, name="callback"),
    path("services/", services.services, name="services"),
    path("services/new/", services.service_new, name="service_new"),
    path("services/<id:service_id>/", services.service_edit, name="service_edit"),
    path("services/<id:service_id>/switch/", services.service_switch, name="service_switch"),
    path("services/<id:service_id>/delete/", services.service_delete, name="service_delete"),
    path("<id:credential_id>/delete/", vault.delete, name="delete"),
]
