"""What several walks through the page do and look at."""

from engines.tab import Tab

# What is left below what is seen of a conversation.
LEFT = """(() => {
    const { scrollHeight, scrollTop, clientHeight } = document.querySelector(".scroller");
    return scrollHeight - scrollTop - clientHeight;
})()"""
TOLD = "document.querySelector('[data-testid=announcer]').textContent"
ANSWERS = "[...document.querySelectorAll('article.answer')]"
SAID = f"{ANSWERS}.at(-1)?.querySelector('.prose')?.innerText.trim()"
FOCUS = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()"


async def ask(tab: Tab, question: str) -> None:
    """Type a question and send it by Enter."""
    await tab.click("textbox", "Message")
    await tab.write(question)
    await tab.press("Enter")
    await tab.sees("document.querySelector('#message').value === ''")


async def ended(tab: Tab) -> None:
    """Wait until the last answer grows no more."""
    await tab.sees(f"{ANSWERS}.at(-1)?.ariaBusy === 'false'")


async def ask_to_end(tab: Tab, question: str) -> None:
    """Ask, and wait for the end of the answer."""
    before = await tab.js(f"{ANSWERS}.length")
    await ask(tab, question)
    await tab.sees(f"{ANSWERS}.length > arguments[0]", before)
    await ended(tab)


async def reads(tab: Tab, text: str) -> None:
    """Wait until the last answer is this text."""
    await tab.sees(f"{SAID} === arguments[0]", text)


async def choose(tab: Tab, title: str, item: str) -> None:
    """Choose an item of a conversation's menu."""
    await tab.click("button", f"Options for “{title}”")
    await tab.click("menuitem", item)
