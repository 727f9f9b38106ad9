"""What axe-core finds on the page as it is."""

from pathlib import Path

from browser.reader import Reader
from program import ROOT

AXE = Path(ROOT, "web", "node_modules", "axe-core", "axe.min.js")
CHECK = """async () => {
    const { passes, violations } = await axe.run(document, { resultTypes: ["violations"] });
    if (passes.length < 10) return ["axe-core looked at nothing"];
    return violations.flatMap((rule) =>
        rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`));
}"""
STILL = """() => Promise.all(
    document.getAnimations().filter((it) => it.effect?.getTiming().iterations === 1).map((it) => it.finished)
)"""


def axe_core() -> str:
    """Return axe-core's text, which a page can run."""
    assert AXE.is_file(), "axe-core is not installed: python scripts/npm.py install brings it."
    return AXE.read_text(encoding="utf-8")


async def faults(reader: Reader, axe: str) -> list[str]:
    """Return what is wrong, once nothing moves any more."""
    await reader.page.mouse.move(640, 20)
    await reader.page.evaluate(STILL)
    await reader.page.evaluate(axe)
    found: list[str] = await reader.page.evaluate(CHECK)
    return found
