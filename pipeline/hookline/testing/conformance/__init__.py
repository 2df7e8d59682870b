"""The conformance suite: whether a plugin works on every surface, whatever form the content has.

Read ``suite`` first, the table of checks. ``samples`` holds what is tried and where in a request it is put,
``surfaces`` takes one call through any door, ``calls`` with the plugin or without it, ``subject`` is the plugin,
``report`` is what comes of it. The checks themselves stand in ``checks``.

``hookline check-plugin`` runs it in a process of its own (``python -m hookline.testing.conformance``), so that
a plugin which hangs, or ends the process, costs one check and no more.
"""

from hookline.testing.conformance.report import Finding, Report, Result
from hookline.testing.conformance.subject import Subject
from hookline.testing.conformance.suite import CHECKS, Check, check_plugin

__all__ = ["CHECKS", "Check", "Finding", "Report", "Result", "Subject", "check_plugin"]
