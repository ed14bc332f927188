"""What a page's document says about its readability: contrast of text, names of charts, headings, the order of Tab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.conftest import REPOSITORY

AXE = REPOSITORY / "app" / "component" / "node_modules" / "axe-core" / "axe.min.js"

# Contrast as in WCAG 2.2: relative luminance of the text's colour over the colours below it, all alphas applied.
# Canvas text (tables, charts) cannot be read from the document. Text of disabled widgets is exempt there, and here.
_CONTRAST = """
() => {
  const canvas = document.createElement('canvas'); canvas.width = canvas.height = 1;
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  const read = text => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = text; pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const parsed = {};  // a page has a dozen colours on thousands of elements
  const parse = text => [...(parsed[text] ??= read(text))];
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat([1]);
  const luminance = color => {
    const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = color.slice(0, 3).map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const above = element => element.parentElement ?? element.getRootNode().host ?? null;
  const roots = [document.body];
  for (const root of roots) for (const e of root.querySelectorAll('*')) if (e.shadowRoot) roots.push(e.shadowRoot);
  const backdrop = element => {
    const layers = [];
    for (let e = element; e; e = above(e)) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color[3] > 0) layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const found = {}, texts = [];
  for (const root of roots) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) texts.push(node);
  }
  for (const node of texts) {
    const text = node.textContent.trim(), element = node.parentElement;
    if (!text || !element || element.closest('script,style,noscript,svg,[disabled],[aria-disabled=true]')) continue;
    if (!element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) continue;
    const box = element.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const style = getComputedStyle(element);
    let opacity = 1;
    for (let e = element; e; e = above(e)) opacity *= parseFloat(getComputedStyle(e).opacity);
    const below = backdrop(element), color = parse(style.color);
    color[3] *= opacity;
    const [high, low] = [luminance(over(color, below)), luminance(below)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const key = text.slice(0, 40);
    if (!(key in found) || ratio < found[key]) found[key] = ratio;
  }
  return found;
}
"""

_UNNAMED = """
() => [...document.querySelectorAll(
    '[data-testid=stEChartsChart], [data-testid=stPlotlyChart], [data-testid=stDataFrame], img')]
  .filter(e => e.checkVisibility())
  .filter(e => !e.closest('[aria-hidden=true]'))
  .filter(e => ![e, ...e.querySelectorAll('[aria-label], [alt], [aria-describedby]')].some(
    n => n.getAttribute('aria-label') || n.getAttribute('alt') || n.getAttribute('aria-describedby')))
  .map(e => e.closest('[class*=st-key-]')?.className.match(/st-key-[\\w-]+/)?.[0] ?? e.dataset.testid ?? e.tagName)
"""

_FOCUS = """
() => {
  const e = document.activeElement, box = e.getBoundingClientRect();
  return e === document.body ? null : {
    place: e.closest('[data-testid=stSidebar]') ? 'sidebar' : e.closest('[data-testid=stMain]') ? 'main' : 'frame',
    top: Math.round(box.top + (document.querySelector('[data-testid=stMain]')?.scrollTop || 0)),
    left: Math.round(box.left), name: (e.getAttribute('aria-label') || e.innerText || e.tagName).slice(0, 40),
  };
}
"""
MOST_STOPS = 200


_SIZES = """() => {
  const found = [];
  const look = root => {
    for (const element of root.querySelectorAll('*')) {
      if (element.shadowRoot) look(element.shadowRoot);
      const own = [...element.childNodes].filter(node => node.nodeType === 3).map(node => node.textContent.trim());
      const style = getComputedStyle(element), text = own.join(' ').trim();
      const drawn = element.getClientRects().length && style.visibility !== 'hidden' && !element.closest('math');
      // icons are written as their names in a font of icons
      if (text && drawn && !/Material/.test(style.fontFamily))
        found.push([text.slice(0, 60), parseFloat(style.fontSize)]);
    }
  };
  look(document);
  return found;
}"""


def contrasts(page: Any) -> dict[str, float]:
    """The contrast of each text on the page, by its beginning, also of those in a shadow root."""
    return dict(page.evaluate(_CONTRAST))


def text_sizes(page: Any) -> dict[str, float]:
    """The size of each text on the page in CSS pixels, by its beginning, also of those in a shadow root."""
    return {str(text): float(size) for text, size in page.evaluate(_SIZES)}


def unnamed(page: Any) -> list[str]:
    """Charts, tables and pictures that a screen reader has no text for."""
    return list(page.evaluate(_UNNAMED))


def tab_stops(page: Any) -> list[dict[str, Any]]:
    """Where the focus goes with each Tab, from the top of a page that is drawn to where nothing has it."""
    stops: list[dict[str, Any]] = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        if (stop := page.evaluate(_FOCUS)) is None:
            return stops
        stops.append(stop)
    raise AssertionError(f"{MOST_STOPS} times Tab do not reach the end of the page")


def axe_findings(page: Any, known: Mapping[str, str]) -> list[str]:
    """What axe finds in the document and in the shadow roots: rule, element and reason, a line each.

    `known`: by rule, the selectors of elements of which this rule is not reported. axe is put in by the debugger, as
    the content policy lets no other script in.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    result = page.evaluate("() => axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)")
    found = []
    for rule in result:
        for node in rule["nodes"]:
            where = " >> ".join(part if isinstance(part, str) else " >> ".join(part) for part in node["target"])
            if not page.evaluate(_IS_KNOWN, [node["target"], known.get(rule["id"], "")]):
                found.append(f"{rule['id']}: {where}: {node['html'][:160]}")
    return found


# whether the element that axe names, through the shadow roots it names, is matched by or within a selector
_IS_KNOWN = """
([target, known]) => {
  if (!known) return false;
  let root = document, element = null;
  for (const part of target.flat()) { element = root?.querySelector(part); root = element?.shadowRoot; }
  return Boolean(element?.closest(known));
}
"""
