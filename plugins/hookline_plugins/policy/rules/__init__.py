"""The plugin ``rules``: holds every turn to the ``[[rule]]`` tables of the organisation's policy.

Read ``keys`` first, which says what a rule may hold, and ``plugin``, where it judges. ``reading`` understands
the tables; ``scope`` says whom a rule is for, ``conditions`` evaluates its ``when``. What a request holds is
told by ``outgoing``, its texts by ``parts`` and ``blocks``; ``patterns`` looks for what is forbidden in them,
behind the ``disguises`` that a word may wear. ``judging`` is the table of checks, ``streaming`` the filter over
replies that are still being written; ``words`` and ``findings`` serve ``hookline policy explain`` and ``lint``.
"""

from hookline_plugins.policy.rules.keys import Rule
from hookline_plugins.policy.rules.plugin import Rules

__all__ = ["Rule", "Rules"]
