"""See accounts 0002: who refers to a process refers to the same table, under its new name in Django."""

import django.db.models.deletion
from django.db import migrations, models


def reference() -> "models.ForeignKey[object, object]":
    return models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to="accounts.process")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_process"), ("confirmations", "0007_stopped")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField("answering", "process", reference()),
                migrations.AlterField("hold", "process", reference()),
                migrations.DeleteModel("Process"),
            ]
        )
    ]
