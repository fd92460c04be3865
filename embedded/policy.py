"""Access rules: who may call which tool, and which calls wait for a person."""

from fnmatch import fnmatchcase

from embedded.ids import FILE_MANAGER, FILES, new_id
from embedded.replies import forbidden
from embedded.state import Gateway, Rule

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
    return [Rule(new_id(), subject_type, subject_id, FILES, action, tools, risk) for action, tools, risk in FILE_RULES]


def rules_for(gateway: Gateway, end_user_id: str, provider_id: str) -> list[Rule]:
    """What applies to the end user's calls of a provider. Raises `Refused` (403): no rule, no access."""
    rules = [
        rule for rule in gateway.rules if rule.subject_id == end_user_id and rule.provider_id in (provider_id, "*")
    ]
    if not rules:
        message = "No access rules configured (default deny — whitelist model)"
        raise forbidden(message, "PROVIDER_ACCESS_DENIED")
    if any(rule.action == "deny" for rule in rules):
        raise forbidden("End-user explicitly denied", "PROVIDER_ACCESS_DENIED")
    return rules


def rule_for_tool(rules: list[Rule], tool: str) -> Rule | None:
    """The strictest rule that names the tool; None means that the tool is denied."""
    matching = [rule for rule in rules if matches(rule.tool_pattern, tool)]
    asking = [rule for rule in matching if rule.action == "require_confirmation"]
    return next(iter(asking or matching), None)


def matches(pattern: str, tool: str) -> bool:
    return any(fnmatchcase(tool, part.strip()) for part in pattern.split(","))
