/** The list of traces: every row opens its trace, the keyboard goes through it, and two rows can be chosen to compare. */

import type { Call, Mounted } from "./shared/kind";
import { el } from "./shared/dom";
import { fillWindow } from "./shared/fill";
import { go } from "./shared/go";
import { MARKS_CSS } from "./shared/marks";
import COLOURS_CSS from "./shared/colours.css";
import { isForPage } from "./shared/typing";
import { JUDGED, OPENED, opened } from "./reader/events";
import type { Judged } from "./reader/events";
import { rowElement } from "./tracelist/row";
import { Rows } from "./tracelist/rows";
import type { Summary } from "./tracelist/rows";
import LIST_CSS from "./tracelist/tracelist.css";

/** `shown`: the trace that is read beside the list. `total`: how many there are, in words. */
interface Data {
  url: string;
  version?: string;
  shown: string | null;
  total: string;
}

const HEIGHT = 58; // pixels of a row
const AHEAD = 20; // rows before the end at which the next page is loaded
const SPARE = 6; // rows drawn above and below what is seen
const LEAST = 320; // pixels of the list's height

class TraceList {
  private readonly body = el("div", { role: "rowgroup", className: "rows" });
  private readonly scroller = el("div", { className: "scroller", role: "grid", tabIndex: 0, "aria-label": "Traces", "aria-multiselectable": "true" });
  private readonly above = el("button", { type: "button", className: "newest", hidden: true, onclick: () => (this.ready = this.restart(null)) }, "Show the newest");
  private readonly total = el("span", { className: "total" });
  private readonly choosing = el("span", { className: "choosing", role: "status" });
  private readonly compare = el("button", { type: "button", className: "compare", onclick: () => this.openBoth() }, "Compare");
  private readonly foot = el("div", { className: "foot" }, this.total, this.choosing, this.compare);
  private readonly frame = el("div", { className: "list" }, this.above, this.scroller, this.foot);
  private readonly unfill: () => void;
  private rows = new Rows("");
  private ready = Promise.resolve(); // the first rows are there
  private data: Data = { url: "", shown: null, total: "" };
  private wanted = "";
  private current = 0;
  private readonly chosen = new Set<string>();
  private drawn = new Map<string, HTMLElement>();

  constructor(private readonly root: ShadowRoot | HTMLElement) {
    this.scroller.append(this.body);
    root.append(el("style", {}, COLOURS_CSS, MARKS_CSS, LIST_CSS), this.frame);
    this.scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    this.scroller.addEventListener("keydown", (event) => this.onKey(event));
    this.body.addEventListener("click", (event) => this.onClick(event));
    document.addEventListener("keydown", this.onPageKey);
    document.addEventListener(JUDGED, this.onJudged);
    this.unfill = fillWindow(this.frame, (left) => (this.isBeside() ? Math.max(LEAST, left) : LEAST), () => this.draw());
  }

  update(call: Call<Data>): void {
    const before = this.data.shown;
    this.data = call.data;
    this.total.textContent = this.data.total;
    const wanted = `${this.data.url} ${this.data.version ?? ""}`;
    if (wanted !== this.wanted) {
      this.wanted = wanted;
      this.ready = this.restart(this.data.shown);
    } else if (before !== this.data.shown) this.follow();
  }

  private async restart(shown: string | null): Promise<void> {
    const rows = new Rows(this.data.url);
    this.rows = rows;
    try {
      await rows.begin(shown);
    } catch (error) {
      this.drawn.clear();
      this.body.replaceChildren(el("p", { className: "failed", role: "alert" }, error instanceof Error ? error.message : String(error)));
      this.wanted = ""; // the next update tries again
      return;
    }
    if (this.rows !== rows) return;
    this.body.replaceChildren();
    this.drawn.clear();
    this.above.hidden = rows.fromTop;
    this.scroller.scrollTop = 0;
    this.current = 0;
    this.follow();
  }

  /** Go to the row of the trace that is read. */
  private follow(): void {
    const at = this.rows.all.findIndex(({ id }) => id === this.data.shown);
    if (at >= 0) this.moveTo(at);
    else this.draw();
  }

  private draw(): void {
    if (!this.rows.begun) return;
    const { all } = this.rows;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / HEIGHT) - SPARE);
    const last = Math.min(all.length, first + Math.ceil(this.scroller.clientHeight / HEIGHT) + 2 * SPARE);
    this.body.style.height = `${all.length * HEIGHT}px`;
    this.place(all.slice(first, last).map((row, i) => this.rowAt(first + i, row)));
    this.scroller.setAttribute("aria-rowcount", String(this.rows.more ? -1 : all.length));
    this.scroller.setAttribute("aria-activedescendant", `row-${this.current}`);
    this.tellChosen();
    if (this.rows.more && last > all.length - AHEAD) void this.extend();
  }

  /** Show these rows. One that stays is not touched: between press and release, it would lose the click. */
  private place(rows: { key: string; element: HTMLElement }[]): void {
    const kept = new Map(rows.map(({ key, element }) => [key, element]));
    for (const [key, element] of this.drawn) if (!kept.has(key)) element.remove();
    this.drawn = kept;
    let next = this.body.firstElementChild;
    for (const { element } of rows) {
      if (element === next) next = next.nextElementSibling;
      else this.body.insertBefore(element, next);
    }
  }

  private rowAt(at: number, row: Summary): { key: string; element: HTMLElement } {
    const state = {
      at, current: at === this.current, shown: row.id === this.data.shown, chosen: this.chosen.has(row.id),
      address: this.address(row.id),
    };
    const key = JSON.stringify([row.id, row.judged, state]);
    const element = this.drawn.get(key) ?? rowElement(row, state);
    element.style.top = `${at * HEIGHT}px`;
    return { key, element };
  }

  private async extend(): Promise<void> {
    const { rows } = this;
    try {
      await rows.extend();
    } catch (error) {
      this.total.textContent = error instanceof Error ? error.message : String(error);
      return;
    }
    if (this.rows === rows) this.draw();
  }

  /** The address of a trace beside this list, with the filters that the page has in its address. */
  private address(id: string): string {
    const address = new URL(location.href);
    address.searchParams.set("trace", id);
    address.searchParams.delete("with");
    return `${address.pathname}${address.search}`;
  }

  private onClick(event: MouseEvent): void {
    const target = event.target as HTMLElement;
    const row = target.closest<HTMLElement>(".row");
    if (!row) return;
    const at = Number(row.dataset.at);
    if (target.closest(".choice")) {
      event.preventDefault();
      this.choose(at);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.shiftKey) {
      const id = this.rows.all[at]?.id;
      if (id && !target.closest("a")) window.open(this.address(id), "_blank", "noopener");
      return;
    }
    event.preventDefault();
    this.open(at);
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / HEIGHT) - 1);
    const steps: Record<string, number> = {
      ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity,
    };
    if (event.key in steps) this.moveTo(this.current + steps[event.key]!);
    else if (event.key === "Enter") this.open(this.current);
    else if (event.key === " ") this.choose(this.current);
    else return;
    event.preventDefault();
  }

  /** j and k read the next and the previous trace wherever the focus is, but for a field. */
  private readonly onPageKey = (event: KeyboardEvent): void => {
    if (!isForPage(event)) return;
    const by = { j: 1, k: -1 }[event.key.toLowerCase()];
    if (!by) return;
    event.preventDefault();
    void this.read(by);
  };

  private async read(by: number): Promise<void> {
    await this.ready;
    const at = this.rows.all.findIndex(({ id }) => id === this.data.shown) + by;
    if (at >= this.rows.all.length) await this.extend();
    if (at >= 0 && at < this.rows.all.length) this.open(at);
  }

  private moveTo(at: number): void {
    this.current = Math.max(0, Math.min(this.rows.all.length - 1, at));
    const top = this.current * HEIGHT;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + HEIGHT > scrollTop + clientHeight) this.scroller.scrollTop = top + HEIGHT - clientHeight;
    this.draw();
  }

  private open(at: number): void {
    const row = this.rows.all[at];
    if (!row) return;
    this.data = { ...this.data, shown: row.id }; // marked at once, before the page has followed
    this.moveTo(at);
    document.dispatchEvent(new CustomEvent(OPENED, { detail: opened(row.id) }));
    go(this.address(row.id));
  }

  /** Choose a row for comparing, or no longer. Of three, the first one goes. */
  private choose(at: number): void {
    const { id } = this.rows.all[at] ?? {};
    if (!id) return;
    if (!this.chosen.delete(id)) this.chosen.add(id);
    const [first] = this.chosen;
    if (first && this.chosen.size > 2) this.chosen.delete(first);
    this.draw();
  }

  private tellChosen(): void {
    this.choosing.textContent = ["", "1 chosen: choose another", "2 chosen"][this.chosen.size] ?? "";
    this.compare.hidden = this.chosen.size < 2;
  }

  private openBoth(): void {
    const [a, b] = this.rows.all.filter(({ id }) => this.chosen.has(id)).map(({ id }) => id);
    if (a && b) go(`${location.pathname}?${new URLSearchParams({ view: "Compare", trace: a, with: b })}`);
  }

  private readonly onJudged = (event: Event): void => {
    const { url, value } = (event as CustomEvent<Judged>).detail;
    const row = this.rows.all.find(({ id }) => url === opened(id).scores);
    if (row) row.judged = value;
    this.draw();
  };

  /** Whether the reader is beside it; on a narrow page it is below. */
  private isBeside(): boolean {
    return this.frame.clientWidth < innerWidth / 3;
  }

  destroy(): void {
    document.removeEventListener("keydown", this.onPageKey);
    document.removeEventListener(JUDGED, this.onJudged);
    this.unfill();
    this.root.replaceChildren();
  }
}

export function mount(root: ShadowRoot | HTMLElement): Mounted<Data> {
  return new TraceList(root);
}
