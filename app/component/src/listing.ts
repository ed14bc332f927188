/** A list whose every row opens something, with its keyboard; it draws only the rows in view. */

import type { Call, Mounted } from "./shared/kind";
import { el } from "./shared/dom";
import { go } from "./shared/go";
import { load } from "./shared/load";
import { marked, MARKS_CSS } from "./shared/marks";
import COLOURS_CSS from "./shared/colours.css";
import { LISTINGS } from "./listing/kinds";
import type { Chip, Column, Row } from "./listing/kinds";
import LISTING_CSS from "./listing/listing.css";

/** `what` is a key of LISTINGS. `shown`: the key of the row that is read on this page. `rows`: the most in view. */
interface Data {
  what: string;
  url: string;
  version?: string;
  shown: string | null;
  label: string;
  rows: number;
}

const HEIGHT = 36; // pixels of a row and of the head
const AHEAD = 20; // rows before the end at which the next page is loaded
const SPARE = 6; // rows drawn above and below what is seen
const NARROW = 560; // pixels
const NOTHING = "–";

class List {
  private readonly head = el("div", { className: "row header", role: "row" });
  private readonly body = el("div", { className: "rows", role: "rowgroup" });
  private readonly scroller = el("div", { className: "scroller", role: "grid", tabIndex: 0 }, this.head, this.body);
  private readonly frame = el("div", { className: "listing" }, this.scroller);
  private readonly resize = new ResizeObserver(() => this.fit());
  private data: Data = { what: "", url: "", shown: null, label: "", rows: 0 };
  private wanted = "";
  private next: string | null = null;
  private loading = false;
  private loaded = false; // the first rows are there
  private rows: Row[] = [];
  private columns: Column[] = [];
  private current = 0;
  private narrow = false;

  constructor(private readonly root: ShadowRoot | HTMLElement) {
    root.append(el("style", {}, COLOURS_CSS, MARKS_CSS, LISTING_CSS), this.frame);
    this.scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    this.scroller.addEventListener("keydown", (event) => this.onKey(event));
    this.body.addEventListener("click", (event) => this.onClick(event));
    this.resize.observe(this.frame);
  }

  update(call: Call<Data>): void {
    const moved = this.data.shown !== call.data.shown;
    this.data = call.data;
    this.scroller.setAttribute("aria-label", this.data.label);
    const wanted = `${this.data.url} ${this.data.version ?? ""}`;
    if (wanted !== this.wanted) void this.begin(wanted);
    else if (moved) this.follow();
  }

  private async begin(wanted: string): Promise<void> {
    this.wanted = wanted;
    this.frame.setAttribute("aria-busy", "true");
    if (!this.loaded) this.body.replaceChildren(el("p", { className: "said" }, "Loading …"));
    try {
      await this.take(this.data.url, []);
      if (this.wanted !== wanted) return;
      this.loaded = true;
      this.scroller.scrollTop = 0;
      this.current = 0;
      this.drawHead();
      this.follow();
    } catch (error) {
      if (this.wanted !== wanted) return;
      this.wanted = ""; // the next update tries again
      this.say(error);
    } finally {
      this.frame.removeAttribute("aria-busy");
    }
  }

  private async take(url: string, before: Row[]): Promise<void> {
    const listing = LISTINGS[this.data.what];
    if (!listing) throw new Error(`There is no list "${this.data.what}".`);
    const { wanted } = this;
    const answer = await load<{ next?: string | null }>(url);
    if (this.wanted !== wanted) return;
    this.columns = listing.columns(answer as never);
    this.rows = [...before, ...listing.rows(answer as never)];
    this.next = answer.next ?? null;
  }

  private async extend(): Promise<void> {
    if (this.next === null || this.loading) return;
    this.loading = true;
    try {
      await this.take(`${this.data.url}${this.data.url.includes("?") ? "&" : "?"}${new URLSearchParams({ after: this.next })}`, this.rows);
      this.draw();
    } catch (error) {
      this.next = null;
      this.say(error);
    } finally {
      this.loading = false;
    }
  }

  private say(error: unknown): void {
    this.body.replaceChildren(el("p", { className: "said failed", role: "alert" }, error instanceof Error ? error.message : String(error)));
  }

  private follow(): void {
    const at = this.rows.findIndex(({ key }) => key === this.data.shown);
    if (at >= 0) this.moveTo(at);
    else this.draw();
  }

  private fit(): void {
    const narrow = this.frame.clientWidth < NARROW;
    if (narrow !== this.narrow) {
      this.narrow = narrow;
      this.drawHead();
    }
    this.draw();
  }

  private seen(): number[] {
    return this.columns.map((_, i) => i).filter((i) => !this.narrow || this.columns[i]!.small);
  }

  private drawHead(): void {
    const seen = this.seen();
    this.frame.style.setProperty("--columns", seen.map((i) => this.columns[i]!.width).join(" "));
    this.head.replaceChildren(...seen.map((i) => {
      const { title, number, help } = this.columns[i]!;
      return el("div", { className: number ? "number" : "", role: "columnheader", title: help ?? "" }, title);
    }));
  }

  private draw(): void {
    if (!this.loaded) return;
    const { scrollTop, clientHeight } = this.scroller;
    const first = Math.max(0, Math.floor(scrollTop / HEIGHT) - SPARE);
    const last = Math.min(this.rows.length, first + Math.ceil(clientHeight / HEIGHT) + 2 * SPARE);
    this.scroller.style.height = `${HEIGHT * (1 + Math.max(2, Math.min(this.data.rows, this.rows.length))) + 2}px`;
    this.body.style.height = `${this.rows.length * HEIGHT}px`;
    const seen = this.seen();
    this.body.replaceChildren(...this.rows.slice(first, last).map((row, i) => this.rowAt(first + i, row, seen)));
    this.scroller.setAttribute("aria-rowcount", String(this.next === null ? this.rows.length + 1 : -1));
    this.scroller.setAttribute("aria-activedescendant", `row-${this.current}`);
    if (last > this.rows.length - AHEAD) void this.extend();
  }

  private rowAt(at: number, row: Row, seen: number[]): HTMLElement {
    const cells = seen.map((i) => {
      const cell = row.cells[i] ?? null;
      const text = marked(cell === null ? NOTHING : typeof cell === "string" ? cell || NOTHING : cell.text);
      const inner = i === row.name ? el("a", { href: this.address(row), tabIndex: -1, dir: "auto" }, text)
        : typeof cell === "object" && cell ? el("span", { className: `chip ${(cell as Chip).tint}` }, text) : text;
      return el("div", { className: this.columns[i]!.number ? "number" : "", role: "gridcell", dir: "auto" }, inner);
    });
    const made = el("div", {
      className: `row${at === this.current ? " current" : ""}`, role: "row", id: `row-${at}`, "data-at": at,
      "aria-rowindex": at + 2, "aria-selected": String(row.key === this.data.shown),
    }, ...cells);
    made.style.top = `${at * HEIGHT}px`;
    return made;
  }

  private address(row: Row): string {
    const address = new URL(location.href);
    for (const [name, value] of Object.entries(row.query)) {
      if (value === null) address.searchParams.delete(name);
      else address.searchParams.set(name, value);
    }
    return `${address.pathname}${address.search}`;
  }

  private onClick(event: MouseEvent): void {
    const target = event.target as HTMLElement;
    const row = target.closest<HTMLElement>(".row");
    if (!row) return;
    const at = Number(row.dataset["at"]);
    if (event.ctrlKey || event.metaKey || event.shiftKey) {
      if (!target.closest("a")) window.open(this.address(this.rows[at]!), "_blank", "noopener");
      return;
    }
    event.preventDefault();
    this.open(at);
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / HEIGHT) - 2);
    const steps: Record<string, number> = {
      ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity,
    };
    if (event.key in steps) this.moveTo(this.current + steps[event.key]!);
    else if (event.key === "Enter" || event.key === " ") this.open(this.current);
    else return;
    event.preventDefault();
  }

  private moveTo(at: number): void {
    this.current = Math.max(0, Math.min(this.rows.length - 1, at));
    const top = this.current * HEIGHT;
    const { scrollTop, clientHeight } = this.scroller;
    const room = clientHeight - HEIGHT; // below the head
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + HEIGHT > scrollTop + room) this.scroller.scrollTop = top + HEIGHT - room;
    this.draw();
  }

  private open(at: number): void {
    const row = this.rows[at];
    if (!row) return;
    this.data = { ...this.data, shown: row.key }; // marked at once, before the page has followed
    this.moveTo(at);
    go(this.address(row));
  }

  destroy(): void {
    this.resize.disconnect();
    this.root.replaceChildren();
  }
}

export function mount(root: ShadowRoot | HTMLElement): Mounted<Data> {
  return new List(root);
}
