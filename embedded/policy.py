"""Access rules: who may call which tool, and which calls wait for a person."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from embedded.ids import FILE_MANAGER, FILES, new_id
from embedded.replies import forbidden
from embedded.state import Gateway, Rule

DEFAULT_RISK = "medium"
TENANT = "acme"
FILE_RULES = [  # action, tools, risk
    ("allow", "list_files, read_file", None),
    ("require_confirmation", "delete_file", "high"),
    ("require_confirmation", "rename_file", "medium"),
    ("require_confirmation", "wipe_files", "critical"),
]


def rules_of_person(person_id: str) -> list[Rule]:
    return file_rules("user", person_id)


def rules_of_file_manager() -> list[Rule]:
    """In force when the agent calls without naming a person."""
    return file_rules("agent", FILE_MANAGER)


def file_rules(subject_type: str, subject_id: str) -> list[Rule]:
    return [
        Rule(new_id(), subject_type, subject_id, FILES, action, tools, risk, TENANT)
        for action, tools, risk in FILE_RULES
    ]


def rules_for(gateway: Gateway, end_user_id: str, provider_id: str) -> list[Rule]:
    """What applies to the end user's calls of a provider. Raises `Refused` (403): no rule, no access."""
    rules = rules_about(gateway, end_user_id, provider_id)
    if not rules:
        message = "No access rules configured (default deny — whitelist model)"
        raise forbidden(message, "PROVIDER_ACCESS_DENIED")
    if any(rule.action == "deny" for rule in rules):
        raise forbidden("End-user explicitly denied", "PROVIDER_ACCESS_DENIED")
    return rules


STRICTNESS = ["allow", "require_confirmation", "deny"]


def rule_for_tool(rules: list[Rule], tool: str) -> Rule | None:
    """The strictest rule that names the tool; None means that the tool is denied."""
    matching = [rule for rule in rules if matches(rule.tool_pattern, tool)]
    return max(matching, key=lambda rule: STRICTNESS.index(rule.action), default=None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says of one call."""

    action: str  # allow, deny, require_confirmation
    risk: str
    rule: Rule | None = None


# Where no rule speaks of a provider: for asking what would happen, and for tools that run elsewhere.
DEFAULTS = [  # tools, action, risk
    ("read_*,get_*,list_*,search_*", "allow", "low"),
    ("delete_*,remove_*,drop_*", "require_confirmation", "critical"),
    ("transfer_*,pay_*,send_*", "require_confirmation", "high"),
]


def judged(rules: list[Rule], tool: str) -> Verdict:
    """By the rules when there are any, else by the built-in defaults."""
    if not rules:
        for pattern, action, risk in DEFAULTS:
            if matches(pattern, tool):
                return Verdict(action, risk)
        return Verdict("require_confirmation", DEFAULT_RISK)
    rule = rule_for_tool(rules, tool)
    if rule is None or rule.action == "deny":
        return Verdict("deny", "low", rule)
    return Verdict(rule.action, rule.risk or DEFAULT_RISK, rule)


def rules_about(gateway: Gateway, subject_id: str, provider_id: str) -> list[Rule]:
    return [rule for rule in gateway.rules if rule.subject_id == subject_id and rule.provider_id in (provider_id, "*")]


def matches(pattern: str, tool: str) -> bool:
    return any(fnmatchcase(tool, part.strip()) for part in pattern.split(","))
