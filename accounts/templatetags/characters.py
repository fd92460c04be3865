"""For templates: what others wrote, with its hidden characters visible, as `accounts.characters` writes them out."""

from __future__ import annotations

from django import template

from accounts import characters

register = template.Library()


@register.filter(is_safe=True)
def legible(text: object) -> str:
    return characters.legible(str(text))


@register.filter(is_safe=True)
def named(text: object) -> str:
    """Of a name: letters that pass for others are marked, too."""
    return characters.named(str(text))
