from django.urls import path

from credentials.views import connect, vault

app_name = "credentials"
urlpatterns = [
    path("", vault.vault, name="vault"),
    path("connect/<str:service>/", connect.connect, name="connect"),
    path("callback/", connect.callback, name="callback"),
    path("<str:credential_id>/delete/", vault.delete, name="delete"),
]
