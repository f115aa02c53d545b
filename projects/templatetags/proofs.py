"""What was found about evidence, for templates."""

from django import template

from projects import proof

register = template.Library()
register.filter("verdict", proof.verdict_of)
