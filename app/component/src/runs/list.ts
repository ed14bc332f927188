// A list of any length that draws only the rows in view, with its keyboard.

import { el } from "../shared/dom";
import { COLUMNS, facetWords, state, tags } from "./columns";
import { isGroup, type Facet, type Item, type Row } from "./model";

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
    this.element.style.setProperty("--columns", `28px minmax(170px, 2fr) ${widths}`);
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
    const last = Math.min(this.items.length, first + Math.ceil(this.scroller.clientHeight / height) + 2 * BEYOND);
    this.body.style.height = `${this.items.length * height}px`;
    const rows = [];
    for (let i = first; i < last; i++) rows.push(this.row(this.items[i]!, i, height));
    this.body.replaceChildren(...rows);
    const shown = this.current >= first && this.current < last;
    if (shown) this.scroller.setAttribute("aria-activedescendant", `row-${this.current}`);
    else this.scroller.removeAttribute("aria-activedescendant");
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

  private row(item: Item, place: number, height: number): HTMLElement {
    const style = `transform:translateY(${place * height}px)`;
    const at = { id: `row-${place}`, role: "row", style, "data-i": String(place), "aria-rowindex": String(place + 2) };
    const current = place === this.current ? " current" : "";
    if (isGroup(item)) {
      const words = item.group ? facetWords(this.group, item.group) : "Without";
      const open = !this.folded.has(item.group);
      return el("div", { ...at, className: `row group${current}`, "aria-expanded": String(open) },
        el("div", { role: "gridcell" }, el("span", { className: "fold" }, open ? "▾" : "▸"), el("bdi", {}, words),
          el("small", {}, String(item.count))));
    }
    const color = this.calls.color(item.id);
    const box = el("input", { type: "checkbox", tabIndex: -1, "aria-label": `Select ${item.name} ${item.id}` });
    box.checked = color !== undefined;
    if (color) box.style.accentColor = color;
    const link = el("a", { href: this.calls.href(item), tabIndex: -1, dir: "auto" }, item.name);
    const name = el("div", { className: "cell name", role: "gridcell" }, link, el("code", {}, item.id),
      ...(item.archived ? [el("small", { className: "archived" }, "archived")] : []),
      ...(item.note ? [el("span", { className: "noted", title: item.note }, "✎")] : []));
    const classes = `row${current}${color ? " selected" : ""}`;
    const check = el("div", { className: "cell check", role: "gridcell" }, box);
    const cells = this.narrow ? [this.second(item)] : this.columns.map((key) => this.cell(item, key));
    return el("div", { ...at, className: classes, "aria-selected": String(color !== undefined) }, check, name, ...cells);
  }

  private cell(row: Row, key: keyof Row): HTMLElement {
    const column = COLUMNS.get(key)!;
    return el("div", { className: column.number ? "cell number" : "cell", role: "gridcell" }, column.cell(row));
  }

  /** The second line of a row on a phone. */
  private second(row: Row): HTMLElement {
    const value = (key: keyof Row): string => COLUMNS.get(key)!.cell(row) as string;
    const facts = [
      row.eval_loss == null ? "" : `eval ${value("eval_loss")}`,
      row.tuned == null ? "" : `exact ${value("tuned")}`,
      value("created").replace(/ \d\d:\d\d$/, ""),
    ].filter(Boolean);
    return el("div", { className: "second", role: "gridcell" }, state(row), el("span", {}, facts.join(" · ")), tags(row));
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
