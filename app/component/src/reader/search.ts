/** Search within a reading: its own, as the browser's finds only what is drawn. */

import { el } from "../shared/dom";
import { bringIntoView } from "./place";
import type { ItemList } from "./list";
import type { Item } from "./reading";

const MOST = 10_000; // matches that are counted
const WAIT_MS = 120; // after a letter
const FOUND = "tunixrt-found";
const CURRENT = "tunixrt-current";

interface Match {
  item: number;
  piece: number;
  at: number;
}

/** `text` as a pattern that ignores case; null where nothing is looked for. */
function patternOf(text: string): RegExp | null {
  return text.trim() ? new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "giu") : null;
}

export function matchesOf(items: Item[], pattern: RegExp): Match[] {
  const found: Match[] = [];
  for (const [item, { pieces }] of items.entries()) {
    for (const [piece, { text }] of pieces.entries()) {
      for (const { index } of text.matchAll(pattern)) {
        found.push({ item, piece, at: index });
        if (found.length === MOST) return found;
      }
    }
  }
  return found;
}

/** The stretches of a tree that match. */
function rangesIn(root: Node, pattern: RegExp): Range[] {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const texts: { node: Text; from: number }[] = [];
  let whole = "";
  while (walker.nextNode()) {
    const node = walker.currentNode as Text;
    texts.push({ node, from: whole.length });
    whole += node.data;
  }
  return [...whole.matchAll(pattern)].map((found) => {
    const range = document.createRange();
    const first = texts.findLast((text) => text.from <= found.index);
    const last = texts.findLast((text) => text.from < found.index + found[0].length);
    if (first) range.setStart(first.node, found.index - first.from);
    if (last) range.setEnd(last.node, found.index + found[0].length - last.from);
    return range;
  });
}

export class Search {
  readonly element: HTMLElement;
  private readonly field = el("input", {
    type: "search", placeholder: "Search in this text", "aria-label": "Search in this text", autocomplete: "off",
  });
  private readonly count = el("span", { className: "count", role: "status" });
  private matches: Match[] = [];
  private pattern: RegExp | null = null;
  private current = -1;
  private timer = 0;

  constructor(
    private readonly list: ItemList,
    private readonly scroller: HTMLElement,
  ) {
    const step = (label: string, sign: string, by: number): HTMLElement =>
      el("button", { type: "button", className: "small", title: label, "aria-label": label, onclick: () => this.move(by) }, sign);
    this.element = el("div", { className: "search" }, this.field, this.count, step("Previous match", "↑", -1), step("Next match", "↓", 1));
    this.field.addEventListener("input", () => this.later());
    this.field.addEventListener("keydown", (event) => this.onKey(event));
    this.tell();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.key === "Escape" && this.field.value) {
      this.field.value = "";
      this.find();
    } else if (event.key === "Enter") this.move(event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.find(), WAIT_MS);
  }

  /** Look again, as after another text is shown. */
  find(): void {
    clearTimeout(this.timer);
    if (!this.pattern && !this.field.value) return;
    this.pattern = patternOf(this.field.value);
    this.matches = this.pattern ? matchesOf(this.list.items, this.pattern) : [];
    this.current = -1;
    clearMarks();
    if (this.matches.length) this.move(1);
    else this.tell();
  }

  private move(by: number): void {
    if (this.timer && this.pattern?.source !== patternOf(this.field.value)?.source) return this.find();
    const { length } = this.matches;
    if (!length || !this.pattern) return;
    this.current = this.current < 0 && by < 0 ? length - 1 : (this.current + by + length) % length;
    this.tell();
    this.show(this.matches[this.current]!, this.pattern);
  }

  private show(match: Match, pattern: RegExp): void {
    const { parts, part } = this.list.partsAt(match.item, match.piece, match.at);
    if (!part) return;
    const before = this.matches.filter(
      (one) => one.item === match.item && one.piece === match.piece && one.at >= part.part.from && one.at < match.at,
    ).length;
    const ranges = rangesIn(part.box, pattern);
    const range = ranges[Math.min(before, ranges.length - 1)];
    const others = parts.filter((one) => one !== part).flatMap((one) => rangesIn(one.box, pattern));
    mark([...ranges, ...others], range);
    bringIntoView(this.scroller, this.list.element, range ?? part.box);
  }

  private tell(): void {
    const { length } = this.matches;
    const of = `${length.toLocaleString("en")}${length === MOST ? "+" : ""}`;
    this.count.textContent = !this.pattern ? "" : length ? `${(this.current + 1).toLocaleString("en")} of ${of}` : "0 of 0";
    this.element.classList.toggle("searching", this.pattern !== null);
  }

  destroy(): void {
    clearTimeout(this.timer);
    clearMarks();
  }
}

// the marks are of the document: one search at a time has them
function mark(all: Range[], current: Range | undefined): void {
  if (!("highlights" in CSS)) return;
  CSS.highlights.set(FOUND, new Highlight(...all.filter((range) => range !== current)));
  CSS.highlights.set(CURRENT, new Highlight(...(current ? [current] : [])));
}

function clearMarks(): void {
  if (!("highlights" in CSS)) return;
  CSS.highlights.delete(FOUND);
  CSS.highlights.delete(CURRENT);
}
