from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from confirmations.chain import FACTS, START, sealed

AT_ONCE = 1000  # rows


def kind_of(row: Any) -> str:
    match row.outcome:
        case "approved":
            return "nothing ran" if row.ran is False else "approved"
        case "rejected":
            return "rejected"
    return "already resolved" if row.outcome.startswith("already resolved") else "failed"


def chain(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The decisions that there are become the beginning of the chain, in the order in which they were written."""
    Decision: Any = apps.get_model("confirmations", "Decision")
    before, number, last = START, 0, 0
    while rows := list(Decision.objects.filter(pk__gt=last).select_related("user").order_by("pk")[:AT_ONCE]):
        for row in rows:
            number += 1
            row.number, row.before, row.kind = number, before, kind_of(row)
            row.who, row.who_name = row.user.gateway_id, row.user.name or row.user.email
            before = row.hash = sealed({name: getattr(row, name) for name in FACTS})
        Decision.objects.bulk_update(rows, ["number", "before", "kind", "who", "who_name", "hash"])
        last = rows[-1].pk
    apps.get_model("confirmations", "ChainHead").objects.create(number=number, hash=before)


class Migration(migrations.Migration):

    dependencies = [
        ("confirmations", "0002_standing"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ChainHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveBigIntegerField(default=0)),
                ("hash", models.CharField(blank=True, max_length=64)),
            ],
        ),
        migrations.AlterModelOptions(name="decision", options={"ordering": ["-number"]}),
        migrations.RemoveIndex(model_name="decision", name="decision_by"),
        migrations.RemoveIndex(model_name="decision", name="decision_in"),
        migrations.RenameField(model_name="decision", old_name="arguments", new_name="arguments_hash"),
        migrations.AlterField("decision", "arguments_hash", models.CharField(blank=True, max_length=64)),
        migrations.AlterField("decision", "tool", models.TextField()),
        migrations.AlterField("decision", "agent_id", models.TextField(blank=True)),
        migrations.AlterField("decision", "agent_name", models.TextField(blank=True)),
        migrations.AlterField("decision", "end_user", models.TextField(blank=True)),
        migrations.AlterField("decision", "tenant", models.TextField(blank=True)),
        migrations.AlterField("decision", "outcome", models.TextField()),
        migrations.AlterField("decision", "at", models.DateTimeField()),
        migrations.AlterField(
            "decision",
            "user",
            models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField("decision", "number", models.PositiveBigIntegerField(null=True, unique=True)),
        migrations.AddField("decision", "shown", models.CharField(blank=True, default="", max_length=64), False),
        migrations.AddField("decision", "who", models.CharField(default="", max_length=200), False),
        migrations.AddField("decision", "who_name", models.TextField(default=""), False),
        migrations.AddField("decision", "said", models.TextField(blank=True, default=""), False),
        migrations.AddField(
            "decision",
            "kind",
            models.CharField(
                choices=[
                    ("approved", "Approved"),
                    ("nothing ran", "Approved, but nothing ran"),
                    ("rejected", "Rejected"),
                    ("already resolved", "Already resolved by somebody else"),
                    ("failed", "Failed"),
                    ("cancelled", "Cancelled before it was sent"),
                    ("first approval", "First of two approvals"),
                    ("unsure", "Cannot be sure"),
                ],
                default="",
                max_length=20,
            ),
            False,
        ),
        migrations.AddField("decision", "before", models.CharField(blank=True, default="", max_length=64), False),
        migrations.AddField("decision", "hash", models.CharField(default="", max_length=64), False),
        migrations.RunPython(chain, migrations.RunPython.noop),
        migrations.AlterField("decision", "number", models.PositiveBigIntegerField(unique=True)),
        migrations.AddIndex("decision", models.Index(fields=["gateway", "end_user", "-number"], name="decision_for")),
        migrations.AddIndex("decision", models.Index(fields=["gateway", "tenant", "-number"], name="decision_in")),
    ]
