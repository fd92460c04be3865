from importlib import import_module

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

before = import_module("agents.migrations.0003_conversations_kept")

# `ascii` takes all that is no ASCII for a part of a word: the words are separated and folded already.
SQLITE = (
    """CREATE VIRTUAL TABLE agents_searchtext_words USING fts5(
    words, content='agents_searchtext', content_rowid='id', tokenize='ascii'
)""",
    """CREATE TRIGGER agents_searchtext_added AFTER INSERT ON agents_searchtext BEGIN
    INSERT INTO agents_searchtext_words (rowid, words) VALUES (new.id, new.words);
END""",
    """CREATE TRIGGER agents_searchtext_removed AFTER DELETE ON agents_searchtext BEGIN
    INSERT INTO agents_searchtext_words (agents_searchtext_words, rowid, words) VALUES ('delete', old.id, old.words);
END""",
    """CREATE TRIGGER agents_searchtext_changed AFTER UPDATE OF words ON agents_searchtext BEGIN
    INSERT INTO agents_searchtext_words (agents_searchtext_words, rowid, words) VALUES ('delete', old.id, old.words);
    INSERT INTO agents_searchtext_words (rowid, words) VALUES (new.id, new.words);
END""",
)
TRIGGERS = ("added", "removed", "changed")
POSTGRESQL = """CREATE INDEX agents_searchtext_words ON agents_searchtext
USING gin (array_to_tsvector(string_to_array(words, ' ')))"""


def forget(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Nothing is lost: each text is taken in again when its owner searches next."""
    if schema_editor.connection.vendor == "sqlite":
        for name in TRIGGERS:
            schema_editor.execute(f"DROP TRIGGER agents_searchtext_{name}")
        schema_editor.execute("DROP TABLE agents_searchtext_words")
    elif schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX agents_searchtext_words")
    apps.get_model("agents", "SearchText").objects.all().delete()


def add_words(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "sqlite":
        for statement in SQLITE:
            schema_editor.execute(statement)
    elif schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL)


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0005_process_of_run'),
    ]

    operations = [
        migrations.RunPython(forget, before.add_words),
        migrations.AddField(
            model_name='searchtext',
            name='words',
            field=models.TextField(default=''),
            preserve_default=False,
        ),
        migrations.RunPython(add_words, forget),
    ]
