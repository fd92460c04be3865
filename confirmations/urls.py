from django.urls import path

from confirmations.views import answering, desk, history

app_name = "confirmations"
urlpatterns = [
    path("", desk.queue, name="queue"),
    path("history/", history.history, name="history"),
    path("<str:confirmation_id>/", desk.detail, name="detail"),
    path("<str:confirmation_id>/confirm/", answering.confirm, name="confirm"),
    path("<str:confirmation_id>/reject/", answering.reject, name="reject"),
]
