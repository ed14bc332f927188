// A list of any length that draws only the rows in view, with its keyboard.

import { el } from "../shared/dom";
import { COLUMNS } from "./columns";
import { isGroup, type Facet, type Item, type Row } from "./model";
import { groupRow, type Place, RunRow } from "./row";

const HEIGHT = { wide: 36, narrow: 62 };
const BEYOND = 4; // rows drawn above and below the view

export interface ListCalls {
  href(row: Row): string;
  open(row: Row): void;
  select(id: string, through: string | null): void; // through: the other end of a range
  sort(key: keyof Row): void;
  fold(group: string): void;
  color(id: string): string | undefined; // of a selected run
  search(): void;
}

export class List {
  readonly element: HTMLElement;
  private readonly header = el("div", { className: "row header", role: "row" });
  private readonly body = el("div", { className: "body", role: "rowgroup" });
  private readonly scroller: HTMLElement;
  private items: Item[] = [];
  private columns: (keyof Row)[] = [];
  private group: Facet | "" = "";
  private folded: ReadonlySet<string> = new Set();
  private current = -1;
  private last: string | null = null; // selected last: where a range begins
  private head = ""; // what the header shows
  private narrow = false;
  private kind = ""; // of the rows in the pool
  private slots = 0;
  private pool: RunRow[] = []; // by place, modulo `slots`
  private readonly resize: ResizeObserver;

  constructor(private readonly calls: ListCalls) {
    this.scroller = el("div", { className: "scroller", role: "grid", tabIndex: 0, "aria-label": "Runs",
      "aria-multiselectable": "true" }, this.header, this.body);
    this.element = el("div", { className: "list" }, this.scroller);
    this.scroller.onscroll = () => this.draw();
    this.scroller.onkeydown = (event) => this.key(event);
    this.body.onclick = (event) => this.click(event);
    this.header.onclick = (event) => {
      const key = (event.target as Element).closest<HTMLElement>("[data-key]")?.dataset["key"];
      if (key) this.calls.sort(key as keyof Row);
    };
    this.resize = new ResizeObserver(() => this.fit());
    this.resize.observe(this.element);
  }

  show(items: Item[], columns: (keyof Row)[], sort: keyof Row, down: boolean, group: Facet | "",
    folded: ReadonlySet<string>): void {
    this.items = items;
    this.columns = columns;
    this.group = group;
    this.folded = folded;
    this.current = Math.min(this.current, items.length - 1);
    const widths = columns.map((key) => COLUMNS.get(key)!.width).join(" ");
    this.element.style.setProperty("--columns", `28px minmax(170px, 3fr) ${widths}`);
    this.scroller.setAttribute("aria-rowcount", String(items.length + 1));
    const head = `${columns.join()} ${sort} ${down}`;
    if (head !== this.head) this.drawHeader(sort, down);
    this.head = head;
    this.draw();
  }

  top(): void {
    this.scroller.scrollTop = 0;
  }

  focus(): void {
    this.scroller.focus({ preventScroll: true });
  }

  destroy(): void {
    this.resize.disconnect();
  }

  draw(): void {
    const height = this.narrow ? HEIGHT.narrow : HEIGHT.wide;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / height) - BEYOND);
    const seen = Math.ceil(this.scroller.clientHeight / height);
    const last = Math.min(this.items.length, Math.floor(this.scroller.scrollTop / height) + seen + BEYOND);
    this.refit(seen + 2 * BEYOND + 1);
    this.body.style.height = `${this.items.length * height}px`;
    const rows = [];
    for (let i = first; i < last; i++) rows.push(this.row(this.items[i]!, { place: i, height, current: i === this.current }));
    const there = new Set(rows);
    for (const old of [...this.body.children]) if (!there.has(old as HTMLElement)) old.remove();
    let next = this.body.firstElementChild;
    for (const row of rows) {
      if (row === next) next = next.nextElementSibling;
      else this.body.insertBefore(row, next);
    }
    const shown = this.current >= first && this.current < last;
    if (shown) this.scroller.setAttribute("aria-activedescendant", `row-${this.current}`);
    else this.scroller.removeAttribute("aria-activedescendant");
  }

  /** Begin with new rows where those of before have other cells, or are too few for the window. */
  private refit(slots: number): void {
    const kind = `${this.columns.join()} ${this.narrow}`;
    if (kind === this.kind && slots <= this.slots) return;
    this.kind = kind;
    this.slots = slots;
    this.pool = [];
  }

  private fit(): void {
    const narrow = this.element.clientWidth < 620;
    if (narrow !== this.narrow) {
      this.narrow = narrow;
      this.element.classList.toggle("narrow", narrow);
      this.scroller.scrollTop = 0;
    }
    this.draw();
  }

  private drawHeader(sort: keyof Row, down: boolean): void {
    const cell = (key: keyof Row, title: string, number = false, help = ""): HTMLElement => {
      const on = key === sort;
      const arrow = on ? (down ? " ↓" : " ↑") : "";
      return el(
        "div",
        { className: number ? "cell number" : "cell", role: "columnheader", ...(help ? { title: help } : {}),
          "aria-sort": on ? (down ? "descending" : "ascending") : "none" },
        el("button", { type: "button", "data-key": key, tabIndex: -1, className: on ? "on" : "" }, title + arrow),
      );
    };
    this.header.replaceChildren(
      el("div", { className: "cell", role: "columnheader" }, el("span", { className: "sr" }, "Selected")),
      cell("name", "Run"),
      ...this.columns.map((key) => {
        const column = COLUMNS.get(key)!;
        return cell(key, column.title, column.number, column.help);
      }),
    );
  }

  /** The element of a place: the one that showed it before, or one that is free. */
  private row(item: Item, at: Place): HTMLElement {
    if (isGroup(item)) return groupRow(item, this.group, !this.folded.has(item.group), at);
    const slot = at.place % this.slots;
    const row = (this.pool[slot] ??= new RunRow(this.columns, this.narrow));
    row.show(item, at, this.calls.href(item), this.calls.color(item.id));
    return row.element;
  }

  private click(event: MouseEvent): void {
    const place = Number((event.target as Element).closest<HTMLElement>("[data-i]")?.dataset["i"] ?? -1);
    const item = this.items[place];
    if (!item) return;
    this.current = place;
    const target = event.target as HTMLElement;
    if (isGroup(item)) this.calls.fold(item.group);
    else if (target.closest(".check")) {
      event.preventDefault(); // drawn by the selection
      this.select(item, event.shiftKey);
    } else if (event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      this.calls.open(item);
    }
  }

  private select(row: Row, range: boolean): void {
    this.calls.select(row.id, range ? this.last : null);
    this.last = row.id;
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / (this.narrow ? HEIGHT.narrow : HEIGHT.wide)) - 2);
    const steps: Record<string, number> = {
      ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity,
    };
    const item = this.items[this.current];
    const step = steps[event.key];
    if (step !== undefined) this.move(this.current + step);
    else if (event.key === "/") this.calls.search();
    else if (item && (event.key === "Enter" || event.key === " ")) {
      if (isGroup(item)) this.calls.fold(item.group);
      else if (event.key === "Enter") this.calls.open(item);
      else this.select(item, event.shiftKey);
    } else return;
    event.preventDefault();
  }

  private move(place: number): void {
    this.current = Math.max(0, Math.min(this.items.length - 1, place));
    const height = this.narrow ? HEIGHT.narrow : HEIGHT.wide;
    const head = this.narrow ? 0 : this.header.offsetHeight;
    const top = this.current * height;
    const view = this.scroller.clientHeight - head;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top + height > this.scroller.scrollTop + view) this.scroller.scrollTop = top + height - view;
    this.draw();
  }
}
