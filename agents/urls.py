from django.urls import path, register_converter
from django.urls.converters import StringConverter

from accounts import converters  # noqa: F401  (registers `id`)
from agents.views import answers, chat, keeping


class Format(StringConverter):
    regex = "md|json"


register_converter(Format, "format")

app_name = "agents"
urlpatterns = [
    path("agents/", chat.catalogue, name="catalogue"),
    path("agents/<id:agent_id>/", chat.agent, name="agent"),
    path("agents/<id:agent_id>/draft/", keeping.agent_draft, name="agent_draft"),
    path("conversations/", keeping.conversations, name="conversations"),
    path("conversations/export.<format:form>", keeping.export_all, name="export_all"),
    path("conversations/<uuid:conversation_id>/", chat.conversation, name="conversation"),
    path("conversations/<uuid:conversation_id>/messages/", chat.send, name="send"),
    path("conversations/<uuid:conversation_id>/draft/", keeping.draft, name="draft"),
    path("conversations/<uuid:conversation_id>/rename/", keeping.rename, name="rename"),
    path("conversations/<uuid:conversation_id>/pin/", keeping.pin, name="pin"),
    path("conversations/<uuid:conversation_id>/delete/", keeping.delete, name="delete"),
    path("conversations/<uuid:conversation_id>/undo/", keeping.undo, name="undo"),
    path("conversations/<uuid:conversation_id>/export.<format:form>", keeping.export_one, name="export_one"),
    path("runs/<uuid:run_id>/cancel/", chat.cancel, name="cancel"),
    path("runs/<uuid:run_id>/retry/", chat.retry, name="retry"),
    path("runs/<uuid:run_id>/answer.md", keeping.answer, name="answer"),
    path("runs/<uuid:run_id>/answers/", answers.answers, name="answers"),
]
