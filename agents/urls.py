from django.urls import path

from agents import views

app_name = "agents"
urlpatterns = [
    path("agents/", views.catalogue, name="catalogue"),
    path("agents/<str:agent_id>/", views.agent, name="agent"),
    path("conversations/<uuid:conversation_id>/", views.conversation, name="conversation"),
    path("conversations/<uuid:conversation_id>/messages/", views.send, name="send"),
    path("runs/<uuid:run_id>/cancel/", views.cancel, name="cancel"),
    path("runs/<uuid:run_id>/retry/", views.retry, name="retry"),
]
