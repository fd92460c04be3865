from django.urls import path

from agents.views import chat

app_name = "agents"
urlpatterns = [
    path("agents/", chat.catalogue, name="catalogue"),
    path("agents/<str:agent_id>/", chat.agent, name="agent"),
    path("conversations/<uuid:conversation_id>/", chat.conversation, name="conversation"),
    path("conversations/<uuid:conversation_id>/messages/", chat.send, name="send"),
    path("runs/<uuid:run_id>/cancel/", chat.cancel, name="cancel"),
    path("runs/<uuid:run_id>/retry/", chat.retry, name="retry"),
]
