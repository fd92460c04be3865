"""The table of processes is this app's now; only Django's idea of whose it is changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("confirmations", "0006_processes")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Process",
                    fields=[
                        ("id", models.CharField(max_length=32, primary_key=True, serialize=False)),
                        ("place", models.CharField(blank=True, max_length=200)),
                        ("pid", models.PositiveIntegerField()),
                        ("born", models.CharField(blank=True, max_length=30)),
                        ("beats", models.PositiveBigIntegerField(default=0)),
                    ],
                    options={"db_table": "confirmations_process"},
                )
            ]
        )
    ]
