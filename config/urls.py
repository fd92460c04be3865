"""The paths that browsers, tests and other programs rely on, a room each."""

from django.urls import include, path
from django.views.generic import RedirectView

from credentials.views import auth_connect

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="agents:catalogue")),
    path("", include("accounts.urls")),
    path("", include("agents.urls")),
    path("credentials/", include("credentials.urls")),
    path("auth/connect", auth_connect),
    path("confirmations/", include("confirmations.urls")),
]
handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.broken"
