"""The organisation's policy: a file above all other settings, that applications cannot step around.

Read ``file`` first, which says what a policy file holds and refuses everything else; ``reading`` finds the
files, their includes and signatures; ``policy`` joins several into one, which is at least as strict as each;
``guard`` is the enforcer that holds locks and bounds against whatever leaves. What the ``[[rule]]`` tables
mean is the business of the plugin ``rules``.
"""

from hookline.policy.file import PolicyFile, RuleTable
from hookline.policy.guard import Guard
from hookline.policy.policy import NO_POLICY, Locked, Policy, Requirement, policy_settings
from hookline.policy.reading import load_policy, read_policy_file, system_path

__all__ = [
    "NO_POLICY",
    "Guard",
    "Locked",
    "Policy",
    "PolicyFile",
    "Requirement",
    "RuleTable",
    "load_policy",
    "policy_settings",
    "read_policy_file",
    "system_path",
]
