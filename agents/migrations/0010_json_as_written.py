from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from agents.json_field import WrittenJSONField

COLUMNS = {"agents_run": ("parts", "interrupts", "resume"), "agents_increment": ("changes",)}


def change(schema_editor: BaseDatabaseSchemaEditor, kind: str) -> None:
    """Each table once. SQLite keeps texts as they are: there nothing is to be done."""
    if schema_editor.connection.vendor == "postgresql":
        for table, columns in COLUMNS.items():
            changes = ", ".join(f"ALTER COLUMN {one} TYPE {kind} USING {one}::{kind}" for one in columns)
            schema_editor.execute(f"ALTER TABLE {table} {changes}")


def keep_as_written(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    change(schema_editor, "json")


def keep_sorted(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    change(schema_editor, "jsonb")


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0009_increment'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunPython(keep_as_written, keep_sorted)],
            [
                migrations.AlterField(
                    model_name='increment',
                    name='changes',
                    field=WrittenJSONField(),
                ),
                migrations.AlterField(
                    model_name='run',
                    name='interrupts',
                    field=WrittenJSONField(default=list),
                ),
                migrations.AlterField(
                    model_name='run',
                    name='parts',
                    field=WrittenJSONField(default=list),
                ),
                migrations.AlterField(
                    model_name='run',
                    name='resume',
                    field=WrittenJSONField(default=list),
                ),
            ],
        ),
    ]
