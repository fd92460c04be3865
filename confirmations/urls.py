from django.urls import path

from confirmations import views

app_name = "confirmations"
urlpatterns = [
    path("", views.queue, name="queue"),
    path("history/", views.history, name="history"),
    path("<str:confirmation_id>/", views.detail, name="detail"),
    path("<str:confirmation_id>/confirm/", views.confirm, name="confirm"),
    path("<str:confirmation_id>/reject/", views.reject, name="reject"),
]
