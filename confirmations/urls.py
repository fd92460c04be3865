from django.urls import path

from accounts import converters  # noqa: F401  (registers `id`)
from confirmations.views import answering, bulk, compare, desk, history, sending

app_name = "confirmations"
urlpatterns = [
    path("", desk.queue, name="queue"),
    path("history/", history.history, name="history"),
    path("history/decisions.<str:form>", history.decisions, name="decisions"),
    path("icon/<int:number>.svg", desk.icon, name="icon"),
    path("sending/", sending.bar, name="sending"),
    path("sending/cancel/", sending.cancel, name="sending_cancel"),
    path("bulk/", bulk.bulk, name="bulk"),
    path("<id:confirmation_id>/", desk.detail, name="detail"),
    path("<id:confirmation_id>/row/", desk.row, name="row"),
    path("<id:confirmation_id>/compare/", compare.compare, name="compare"),
    path("<id:confirmation_id>/arguments.json", compare.arguments, name="arguments"),
    path("<id:confirmation_id>/as-written.json", compare.as_written, name="as_written"),
    path("<id:confirmation_id>/confirm/", answering.confirm, name="confirm"),
    path("<id:confirmation_id>/reject/", answering.reject, name="reject"),
    path("<id:confirmation_id>/cancel/", answering.cancel, name="cancel"),
    path("<id:confirmation_id>/claim/", answering.claim, name="claim"),
    path("<id:confirmation_id>/release/", answering.release, name="release"),
]
