from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def forget(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Words are told apart otherwise: each text is taken in again when its owner searches next."""
    apps.get_model("agents", "SearchText").objects.all().delete()


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0010_json_as_written'),
    ]

    operations = [
        migrations.RunPython(forget, forget),
    ]
