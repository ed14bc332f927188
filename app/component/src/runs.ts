// Kind `runs`: all runs as a list with search, filters, groups and selection; the selected ones as charts over each
// other, with their differing settings and results. The address holds the whole view.

import { inAddress } from "./shared/go";
import { Board } from "./charts/board";
import { looks, type Look } from "./charts/colors";
import { controls, shownInAddress, type Controls, type Shown } from "./charts/controls";
import { Feed } from "./charts/feed";
import { OVERLAYS, overlayPanels } from "./charts/panels";
import chartCss from "./charts/style.css";
import { Comparison } from "./runs/compare";
import { COLUMNS, NARROW } from "./runs/columns";
import { List } from "./runs/list";
import { Table, counts, filtered, grouped, isGroup, type Item, type Row, type Update, type View } from "./runs/model";
import { SelectionBar } from "./runs/selection";
import { LIVE } from "./runs/state";
import stateCss from "./runs/state.css";
import css from "./runs/style.css";
import { Toolbar } from "./runs/toolbar";
import { MOST_SELECTED, selectionInAddress, viewInAddress, writeSelection, writeView } from "./runs/view";
import { el } from "./shared/dom";
import { go } from "./shared/go";
import { load } from "./shared/load";
import { isDark } from "./shared/theme";
import type { Call, Mounted } from "./shared/kind";
import uplotCss from "uplot/dist/uPlot.min.css";

interface Data {
  url: string; // of the routes of runs
  page: string; // address of the page of a run, before its id
  writes: boolean; // whether who looks may change something
}

const SMOOTHING = 0.9;
const LIVE_MS = 2000; // between two looks at the table while a run trains
const TYPED_MS = 150; // without a key before the address is written
const BESIDE = 1000; // pixels from which the charts stand beside the list
const IDLE_MS = 15_000;

export function mount(root: ShadowRoot | HTMLElement, call: Call<Data>): Mounted<Data> {
  const workbench = new Workbench(root, call);
  return { update: (c) => workbench.update(c), destroy: () => workbench.destroy() };
}

class Workbench {
  private readonly table = new Table();
  private readonly view: View = viewInAddress();
  private readonly shown: Shown = shownInAddress(SMOOTHING);
  private selected: string[] = selectionInAddress();
  private readonly folded = new Set<string>();
  private readonly toolbar: Toolbar;
  private readonly list: List;
  private readonly bar: SelectionBar;
  private readonly feed: Feed;
  private readonly board: Board;
  private readonly controls: Controls;
  private readonly comparison: Comparison;
  private readonly legend = el("div", { className: "legend runs" });
  private readonly failure = el("p", { className: "failure", hidden: true, role: "alert" });
  private readonly side: HTMLElement;
  private readonly body: HTMLElement;
  private looked: Map<string, Look> = new Map();
  private visible: Row[] = [];
  private timer = 0;
  private writing = 0;
  private live = "";

  constructor(root: ShadowRoot | HTMLElement, private call: Call<Data>) {
    root.append(el("style", {}, uplotCss + chartCss + stateCss + css));
    const { url } = this.data;
    this.toolbar = new Toolbar(this.view, {
      changed: () => this.viewChanged(),
      counts: (facet) => counts(this.table.rows, this.view, facet, Date.now() / 1000),
    });
    this.list = new List({
      href: (row) => this.href(row),
      open: (row) => this.open(row),
      select: (id, through) => this.select(id, through),
      sort: (key) => this.sort(key),
      fold: (group) => this.fold(group),
      color: (id) => this.looked.get(id)?.color,
      search: () => this.toolbar.search.focus(),
    });
    this.bar = new SelectionBar(url, {
      rows: () => this.selectedRows(),
      clear: () => this.choose([]),
      changed: () => void this.refresh(),
      failed: (words) => this.fail(words),
      pictures: () => void this.pictures(),
    }, call.data.writes);
    const charts = el("div", { className: "grid" });
    this.controls = controls(this.shown, SMOOTHING, () => this.askCurves(), () => this.showAll());
    this.controls.withMore(true);
    this.side = el("div", { className: "side", hidden: true }, this.controls.element, this.legend, charts);
    this.comparison = new Comparison(`${url}/compare`);
    this.body = el("div", { className: "split" }, el("div", { className: "main" }, this.list.element), this.side);
    root.append(el("div", { className: "workbench" }, this.toolbar.element, this.failure, this.bar.element, this.body,
      this.comparison.element));
    this.board = new Board(charts, "runs", (range) => this.zoomed(range));
    this.feed = new Feed(`${url}/series`, (finer) => this.drawCharts(finer), (words) => this.fail(words));
    document.addEventListener("visibilitychange", this.wake);
    void this.refresh();
  }

  update(call: Call<Data>): void {
    this.call = call;
    this.look();
    this.list.draw();
    this.drawCharts(true);
  }

  destroy(): void {
    clearTimeout(this.timer);
    clearTimeout(this.writing);
    document.removeEventListener("visibilitychange", this.wake);
    this.feed.destroy();
    this.board.destroy();
    this.list.destroy();
  }

  private get data(): Data {
    return this.call.data;
  }

  private href(row: Row): string {
    return `${this.data.page}${encodeURIComponent(row.id)}`;
  }

  // --- the table -----------------------------------------------------------------------------------------------------

  private readonly wake = (): void => {
    if (!document.hidden) void this.refresh();
  };

  private async refresh(): Promise<void> {
    clearTimeout(this.timer);
    const since = this.table.version ? `?since=${this.table.version}` : "";
    try {
      const first = !this.table.version;
      const changed = this.table.take(await load<Update>(`${this.data.url}/table${since}`));
      this.failure.hidden = true;
      if (first) this.firstView();
      else if (changed) this.tableChanged();
      else this.drawToolbar();
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
    }
    clearTimeout(this.timer);
    const busy = this.table.reading > 0 || this.table.rows.some((row) => LIVE.has(row.status));
    if (!document.hidden) this.timer = window.setTimeout(() => void this.refresh(), busy ? LIVE_MS : IDLE_MS);
  }

  private firstView(): void {
    this.selected = this.selected.filter((id) => this.table.get(id));
    this.draw();
    this.selectionChanged();
  }

  private tableChanged(): void {
    const kept = this.selected.filter((id) => this.table.get(id));
    const gone = kept.length !== this.selected.length;
    this.selected = kept;
    this.draw();
    this.bar.draw();
    const live = this.selectedRows().map((row) => `${row.id} ${row.status} ${row.tuned} ${row.base}`).join();
    if (gone || live !== this.live) this.selectionChanged();
  }

  private draw(): void {
    const { view } = this;
    this.visible = filtered(this.table.sorted(view.sort, view.down), view, Date.now() / 1000);
    const items: Item[] = view.group ? grouped(this.visible, view.group, this.folded) : this.visible;
    // beside the charts there is room for few columns
    const beside = this.selected.length > 0 && this.body.clientWidth >= BESIDE;
    const few = inAddress("cols") ? view.columns : view.columns.filter((key) => NARROW.includes(key));
    const columns = beside ? few.slice(0, NARROW.length) : view.columns;
    this.list.show(items, columns, view.sort, view.down, view.group, this.folded);
    this.drawToolbar();
  }

  private drawToolbar(): void {
    const all = this.table.rows.filter((row) => this.view.archived || !row.archived).length;
    this.toolbar.draw(this.visible.length, all, this.table.reading);
  }

  private viewChanged(): void {
    this.list.top();
    this.draw();
    clearTimeout(this.writing);
    this.writing = window.setTimeout(() => writeView(this.view), TYPED_MS);
  }

  private open(row: Row): void {
    clearTimeout(this.writing);
    writeView(this.view); // what Back returns to
    go(this.href(row));
  }

  private sort(key: keyof Row): void {
    const { view } = this;
    const column = COLUMNS.get(key);
    view.down = view.sort === key ? !view.down : !!column?.number && !key.endsWith("loss");
    view.sort = key;
    this.viewChanged();
  }

  private fold(group: string): void {
    this.folded.has(group) ? this.folded.delete(group) : this.folded.add(group);
    this.draw();
  }

  // --- the selection -------------------------------------------------------------------------------------------------

  private selectedRows(): Row[] {
    return this.selected.flatMap((id) => this.table.get(id) ?? []);
  }

  private select(id: string, through: string | null): void {
    if (through && through !== id) {
      const ids = this.visible.filter((item) => !isGroup(item)).map((row) => row.id);
      const [from, to] = [ids.indexOf(through), ids.indexOf(id)].sort((a, b) => a - b) as [number, number];
      if (from >= 0) return this.choose([...new Set([...this.selected, ...ids.slice(from, to + 1)])]);
    }
    const without = this.selected.filter((one) => one !== id);
    this.choose(without.length < this.selected.length ? without : [...this.selected, id]);
  }

  private choose(ids: string[]): void {
    if (ids.length > MOST_SELECTED) this.fail(`At most ${MOST_SELECTED} runs can be compared.`);
    else this.failure.hidden = true;
    this.selected = ids.slice(0, MOST_SELECTED);
    writeSelection(this.selected);
    this.selectionChanged();
    this.draw();
    this.list.focus();
  }

  private look(): void {
    this.looked = looks(this.selected, isDark(this.body));
  }

  private selectionChanged(): void {
    this.look();
    const rows = this.selectedRows();
    this.side.hidden = !rows.length;
    this.body.classList.toggle("compared", rows.length > 0);
    this.bar.draw();
    this.legend.replaceChildren(...rows.map((row) => this.legendOf(row)));
    this.askCurves();
    this.live = rows.map((row) => `${row.id} ${row.status} ${row.tuned} ${row.base}`).join();
    void this.comparison.show(this.selected, this.looked, true);
    this.list.draw();
  }

  private legendOf(row: Row): HTMLElement {
    const look = this.looked.get(row.id)!;
    const mark = el("i", { className: "mark" });
    mark.style.background = look.color;
    return el("span", {}, mark, el("bdi", {}, row.name), el("code", {}, row.id));
  }

  // --- the charts ----------------------------------------------------------------------------------------------------

  private askCurves(): void {
    const { x, smoothing, more } = this.shown;
    const shown = OVERLAYS.filter((one) => more || !one.more);
    const metrics = shown.map(({ metric }) => metric.replace(/^samples\..*/, "samples"));
    this.feed.show(this.selected, { metrics, x, smoothing });
  }

  private drawCharts(finer: boolean): void {
    const runs = this.selected.flatMap((id) => this.feed.runs.get(id) ?? []);
    if (!runs.length) return;
    const names = new Map(this.selectedRows().map((row) => [row.id, row.name]));
    const panels = overlayPanels(runs, this.selected, names, this.shown, isDark(this.body));
    this.board.draw(panels, this.shown.x, 0, finer);
  }

  private zoomed(range: [number, number] | null): void {
    this.controls.zoomed(range !== null);
    void (range ? this.feed.refine(...range) : this.feed.coarse());
  }

  private showAll(): void {
    this.board.setZoom(null);
    this.zoomed(null);
  }

  private async pictures(): Promise<void> {
    for (const [name, blob] of await this.board.png()) {
      const link = el("a", { href: URL.createObjectURL(blob), download: `${name}-${this.selected.join("-").slice(0, 80)}.png` });
      link.click();
      URL.revokeObjectURL(link.href);
    }
  }

  private fail(words: string): void {
    this.failure.hidden = false;
    this.failure.textContent = words;
  }
}
