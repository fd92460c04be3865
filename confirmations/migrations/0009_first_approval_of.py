from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('confirmations', '0008_process_moved'),
    ]

    operations = [
        migrations.AddField(
            model_name='firstapproval',
            name='shown',
            field=models.CharField(blank=True, max_length=64),
        ),
    ]
