"""The main job as a stranger does it: a user's window and an admin's, one Chromium, nothing faked."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Window


def begin(page: Page, agent: str, message: str) -> None:
    page.get_by_role("link", name="Agents", exact=True).click()
    page.get_by_role("link", name=agent, exact=True).click()
    page.get_by_role("textbox", name="Message").fill(message)
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/conversations/**")


def test_a_stranger_gets_the_whole_of_portico(window: Window) -> None:
    user, admin = window("Try as user"), window("Try as admin")

    begin(user, "Storyteller", "a short piece on paper boats")
    answer = user.get_by_role("article", name="Storyteller")
    expect(answer).to_contain_text("paper boats")
    expect(answer.get_by_role("heading").first).to_be_visible()
    expect(user.get_by_role("button", name="Send")).to_be_visible()

    begin(user, "Weather desk", "what will Lisbon be like?")
    card = user.get_by_role("region", name="Connect Weather")
    card.get_by_role("link", name="Connect Weather").click()
    user.get_by_label("API key").fill("wx-from-a-browser")
    user.get_by_role("button", name="Connect Weather").click()
    user.wait_for_url("**/conversations/**")
    expect(user.get_by_role("article", name="Weather desk")).to_contain_text("Lisbon")
    expect(user.get_by_role("article", name="You")).to_have_count(1)
    expect(user.get_by_role("region", name="Connect Weather")).to_have_count(0)

    admin.get_by_role("link", name="Approvals").click()
    expect(admin.get_by_role("status", name="Live updates")).to_contain_text("Live")
    begin(user, "File manager", "get rid of notes.txt for me")
    inline = user.get_by_role("log", name="Conversation").get_by_role("region", name="delete_file")
    expect(inline).to_contain_text("notes.txt")
    waiting = admin.locator(f'li[data-confirmation="{inline.get_attribute("data-confirmation")}"]')
    expect(waiting).to_contain_text("High risk")
    waiting.get_by_role("link").click()
    opened = admin.get_by_role("region", name="delete_file")
    expect(opened).to_contain_text("notes.txt")
    expect(user.get_by_role("link", name="Approvals")).to_contain_text("1")
    admin.wait_for_timeout(700)  # milliseconds: what is answered has to be on the screen for 600
    opened.get_by_role("button", name="Approve").click()
    expect(opened).to_contain_text("Approved by you")
    expect(user.get_by_role("article", name="File manager")).to_contain_text("gone")
    admin.get_by_role("status", name="Live updates").hover()
    expect(waiting).to_have_count(0)
    expect(user.get_by_role("link", name="Approvals")).not_to_contain_text("1")


def test_the_github_account_is_connected_and_the_question_answered(window: Window) -> None:
    user = window("Try as user")
    begin(user, "GitHub helper", "which repositories are mine?")
    user.get_by_role("region", name="Connect GitHub").get_by_role("link", name="Connect GitHub").click()
    if user.get_by_label("E-mail").or_(user.get_by_label("Email")).count():
        user.get_by_label("mail").fill("user@example.com")
        user.get_by_label("Password").fill("demo")
        user.get_by_role("button", name="Sign in").click()
    page_at_the_provider(user)
    user.get_by_role("button", name="Allow").click()
    user.wait_for_url("**/conversations/**")
    expect(user.get_by_role("article", name="GitHub helper")).to_contain_text("octo")
    expect(user.get_by_role("article", name="You")).to_have_count(1)


def page_at_the_provider(user: Page) -> None:
    """Sign in where the account is, with the account that it proposes."""
    account = user.get_by_label("Account")
    account.fill("octo-ana")
    user.get_by_label("Password").fill("demo")
    user.get_by_role("button", name="Sign in").click()
