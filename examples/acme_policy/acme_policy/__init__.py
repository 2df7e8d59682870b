"""Acme Bank's rules for language models: two plugins, and the policy file beside them.

``approvals`` lets tools that move money run only with somebody's approval; ``disclaimer`` puts a sentence
under advice. ``words`` shows what rules look like that are plain Python, for ``policy=``.
"""

from importlib.resources import files

from acme_policy.words import MASK, AcmePolicy

__all__ = ["MASK", "AcmePolicy", "policy_file"]


def policy_file() -> str:
    """Return where the policy file lies; ``HOOKLINE_POLICY``, or a copy in ``/etc/hookline``, names it."""
    return str(files(__name__) / "policy.toml")
