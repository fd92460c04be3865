"""Shows whose GitHub account is connected, and its repositories."""

import aiohttp
from starlette.types import ASGIApp

from embedded.agents.base import Asked, Events, ag_ui_app, say

WAIT = aiohttp.ClientTimeout(total=10)


def app(secret: str, client: aiohttp.ClientSession, github_url: str) -> ASGIApp:
    async def converse(question: Asked) -> Events:
        async for event in say(await repositories(client, github_url, question.credential("github"))):
            yield event

    return ag_ui_app(converse, secret)


async def repositories(client: aiohttp.ClientSession, github_url: str, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with client.get(f"{github_url}/user", headers=headers, timeout=WAIT) as answer:
            if answer.status == 401:
                return "GitHub **refused your token**. Delete the GitHub credential and connect it again."
            account = await answer.json()
        async with client.get(f"{github_url}/user/repos", headers=headers, timeout=WAIT) as answer:
            found = await answer.json()
    except (aiohttp.ClientError, TimeoutError):
        return "GitHub does not answer at the moment."
    rows = "\n".join(
        f"| `{repository['full_name']}` | {repository['language']} | {repository['open_issues_count']} |"
        for repository in found
    )
    return (
        f"These are the repositories of **{account['login']}** ({account['name']}):\n\n"
        f"| Repository | Language | Open issues |\n| --- | --- | ---: |\n{rows}\n"
    )
