/** A list whose every row opens something, with its keyboard; it draws only the rows in view. */

import type { Call, Mounted } from "./shared/kind";
import { el } from "./shared/dom";
import { go } from "./shared/go";
import { load } from "./shared/load";
import { marked, MARKS_CSS } from "./shared/marks";
import COLOURS_CSS from "./shared/colours.css";
import { LISTINGS } from "./listing/kinds";
import type { Cell, Column, Row } from "./listing/kinds";
import LISTING_CSS from "./listing/listing.css";
import STATE_CSS from "./runs/state.css";

/**
 * `what` is a key of LISTINGS. `shown`: the key of the row that is read on this page. `rows`: the most in view.
 * `page`: the address that rows lead to, before their key; null if they lead nowhere, unset for this page.
 */
interface Data {
  what: string;
  url: string;
  answer?: unknown; // in place of a route's, where it is small
  version?: string;
  page?: string | null;
  shown: string | null;
  label: string;
  rows: number;
}

const HEAD = 36; // pixels
const HEIGHT = { wide: 36, narrow: 56 }; // pixels of a row: two lines of a name where there is no room for one
const AHEAD = 20; // rows before the end at which the next page is loaded
const SPARE = 6; // rows drawn above and below what is seen
const LEAST = 200; // pixels of the names, for which other columns give way
const ONE_LINE = 260; // pixels of the names from which a line is enough for one
const GAP = 12; // pixels between columns
const NOTHING = "–";
const AGAIN_MS = 3000; // until a list that changes is read again

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
  private seen: number[] = []; // places of the columns that are shown
  private current = 0;
  private narrow = false;
  private timer = 0;

  constructor(private readonly root: ShadowRoot | HTMLElement) {
    root.append(el("style", {}, COLOURS_CSS, MARKS_CSS, STATE_CSS, LISTING_CSS), this.frame);
    this.scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    this.scroller.addEventListener("keydown", (event) => this.onKey(event));
    this.body.addEventListener("click", (event) => this.onClick(event));
    this.resize.observe(this.frame);
    document.addEventListener("visibilitychange", this.wake);
  }

  update(call: Call<Data>): void {
    const moved = this.data.shown !== call.data.shown;
    const other = this.data.url !== call.data.url;
    this.data = call.data;
    this.frame.classList.toggle("opens", this.data.page !== null);
    this.scroller.setAttribute("aria-label", this.data.label);
    const wanted = this.data.answer ? JSON.stringify(this.data.answer) : `${this.data.url} ${this.data.version ?? ""}`;
    if (wanted !== this.wanted) void this.begin(wanted, this.loaded && !other);
    else if (moved) this.follow();
  }

  private readonly wake = (): void => {
    if (this.timer && !document.hidden) void this.begin(this.wanted, true);
  };

  /** Read the list from its start; `again` if it is on the page already, and keeps its place. */
  private async begin(wanted: string, again: boolean): Promise<void> {
    clearTimeout(this.timer);
    this.wanted = wanted;
    if (!again) this.frame.setAttribute("aria-busy", "true");
    if (!this.loaded) this.body.replaceChildren(el("p", { className: "said" }, "Loading …"));
    try {
      await this.take(this.data.url, []);
      if (this.wanted !== wanted) return;
      this.loaded = true;
      this.drawHead();
      if (again) return this.draw();
      this.scroller.scrollTop = 0;
      this.current = 0;
      this.follow();
    } catch (error) {
      if (this.wanted !== wanted) return;
      if (again) { // what was read stays
        this.timer = window.setTimeout(this.wake, AGAIN_MS);
        return;
      }
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
    const answer = (this.data.answer ?? (await load(url))) as { next?: string | null };
    if (this.wanted !== wanted) return;
    this.columns = listing.columns(answer as never);
    this.rows = [...before, ...listing.rows(answer as never)];
    this.next = answer.next ?? null;
    const again = listing.changes?.(answer as never);
    this.timer = again ? window.setTimeout(this.wake, AGAIN_MS) : 0;
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
    this.drawHead();
    this.draw();
  }

  private get height(): number {
    return this.narrow ? HEIGHT.narrow : HEIGHT.wide;
  }

  /** Choose the columns that leave room for the names: those that tell less give way first, then the last ones. */
  private choose(): void {
    let seen = this.columns.map((_, i) => i);
    const room = (): number => this.frame.clientWidth - seen.reduce((sum, i) => sum + widthOf(this.columns[i]!) + GAP, 0);
    const spare = (): number | undefined => {
      const found = seen.filter((i) => !this.columns[i]!.small);
      return found.find((i) => this.columns[i]!.less) ?? found.at(-1);
    };
    for (let one = spare(); room() < LEAST && one !== undefined; one = spare()) seen = seen.filter((i) => i !== one);
    this.seen = seen;
    this.narrow = room() < ONE_LINE && !this.rows.some((row) => row.code); // names with an id are short
    this.frame.classList.toggle("narrow", this.narrow);
  }

  private drawHead(): void {
    this.choose();
    const { seen } = this;
    this.frame.style.setProperty("--columns", seen.map((i) => this.columns[i]!.width).join(" "));
    this.head.replaceChildren(...seen.map((i) => {
      const { title, number, help } = this.columns[i]!;
      return el("div", { className: number ? "number" : "", role: "columnheader", title: help ?? "" }, title);
    }));
  }

  private draw(): void {
    if (!this.loaded) return;
    const { scrollTop, clientHeight } = this.scroller;
    const { height } = this;
    const first = Math.max(0, Math.floor(scrollTop / height) - SPARE);
    const last = Math.min(this.rows.length, first + Math.ceil(clientHeight / height) + 2 * SPARE);
    this.scroller.style.height = `${HEAD + height * Math.max(2, Math.min(this.data.rows, this.rows.length))}px`;
    this.body.style.height = `${this.rows.length * height}px`;
    const { seen } = this;
    this.body.replaceChildren(...this.rows.slice(first, last).map((row, i) => this.rowAt(first + i, row, seen)));
    this.scroller.setAttribute("aria-rowcount", String(this.next === null ? this.rows.length + 1 : -1));
    this.scroller.setAttribute("aria-activedescendant", `row-${this.current}`);
    if (last > this.rows.length - AHEAD) void this.extend();
  }

  private rowAt(at: number, row: Row, seen: number[]): HTMLElement {
    const cells = seen.map((i) => {
      const { number } = this.columns[i]!;
      const cell = this.contentOf(row.cells[i] ?? null);
      const name = i === row.name && this.data.page !== null ? el("a", { href: this.address(row), tabIndex: -1, dir: "auto" }, cell) : cell;
      const code = i === row.name && row.code ? el("code", {}, row.code) : null;
      const className = number ? "number" : code ? "named" : i === row.name ? "name" : "";
      return el("div", { className, role: "gridcell", dir: "auto" }, name, code);
    });
    const made = el("div", {
      className: `row${at === this.current ? " current" : ""}`, role: "row", id: `row-${at}`, "data-at": at,
      "aria-rowindex": at + 2, "aria-selected": String(row.key === this.data.shown),
    }, ...cells);
    made.style.top = `${at * this.height}px`;
    return made;
  }

  private contentOf(cell: Cell): Node {
    if (typeof cell === "function") return cell();
    if (typeof cell === "string" || cell === null) return marked(cell || NOTHING);
    return el("span", { className: `chip ${cell.tint}` }, marked(cell.text));
  }

  private address(row: Row): string {
    if (this.data.page) return `${this.data.page}${encodeURIComponent(row.key)}`;
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
    if (!row || this.data.page === null) return;
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
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.height) - 2);
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
    const { height } = this;
    const top = this.current * height;
    const { scrollTop, clientHeight } = this.scroller;
    const room = clientHeight - HEAD;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + height > scrollTop + room) this.scroller.scrollTop = top + height - room;
    this.draw();
  }

  private open(at: number): void {
    const row = this.rows[at];
    if (!row || this.data.page === null) return;
    this.data = { ...this.data, shown: row.key }; // marked at once, before the page has followed
    this.moveTo(at);
    go(this.address(row));
  }

  destroy(): void {
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.wake);
    this.resize.disconnect();
    this.root.replaceChildren();
  }
}

/** The least width of a column in pixels. */
const widthOf = ({ width }: Column): number => Number(/(\d+)px/.exec(width)?.[1] ?? 0);

export function mount(root: ShadowRoot | HTMLElement): Mounted<Data> {
  return new List(root);
}
