// Kind `charts`: the charts of one run with its progress and its newest numbers, live while it trains.

import { beginningList } from "./charts/beginning";
import { Board } from "./charts/board";
import { controls, shownInAddress, type Controls, type Shown } from "./charts/controls";
import { Feed, type RunCurves } from "./charts/feed";
import { Notice } from "./charts/notice";
import { RUN_METRICS, runPanels } from "./charts/panels";
import css from "./charts/style.css";
import { el } from "./shared/dom";
import type { Call, Mounted } from "./shared/kind";
import uplotCss from "uplot/dist/uPlot.min.css";

interface Data {
  url: string;
  run: string;
  name: string;
  status: string; // as the page around shows it
  alerts: number;
  samples: number | null; // rounds of answers on the page around; null where it shows none
  panels: boolean; // false: progress and numbers only
  total: number; // planned train steps
  types: boolean; // losses by step type were recorded
  notes: Record<string, string>;
  tiles: [string, string][]; // label and help
}

const SMOOTHING = 0.6;
const MISSING = "–";

export function mount(root: ShadowRoot | HTMLElement, call: Call<Data>): Mounted<Data> {
  const view = new RunCharts(root, call);
  return { update: (c) => view.update(c), destroy: () => view.destroy() };
}

class RunCharts {
  private readonly head = el("div", { className: "head" });
  private readonly bar = el("div", { className: "bar", hidden: true }, el("i", {}));
  private readonly line = el("div", { className: "line", role: "status" }, "Loading …");
  private readonly tiles = el("dl", { className: "tiles" });
  private readonly failure = el("p", { className: "failure", hidden: true, role: "alert" });
  private readonly charts = el("div", { className: "grid", hidden: true });
  private readonly begins = el("div", { hidden: true });
  private readonly notice: Notice;
  private readonly shown: Shown = shownInAddress(SMOOTHING);
  private readonly values: HTMLElement[][] = [];
  private readonly controls: Controls;
  private readonly board: Board;
  private readonly feed: Feed;
  private told = "";

  constructor(root: ShadowRoot | HTMLElement, private call: Call<Data>) {
    root.append(el("style", {}, uplotCss + css));
    const data = this.data;
    this.controls = controls(this.shown, SMOOTHING, () => this.ask(), () => this.showAll());
    this.controls.withTypes(data.types);
    this.controls.element.hidden = true; // with the charts, until there is something to show
    this.notice = new Notice(data.name, () => this.feed.replan());
    this.head.append(el("div", { className: "top" }, this.line, this.notice.element), this.bar);
    for (const [label, help] of data.tiles) {
      const parts = [el("dd", {}), el("dd", { className: "change" })];
      this.values.push(parts);
      this.tiles.append(el("div", help ? { title: help } : {}, el("dt", {}, label), ...parts));
    }
    const frame = el("div", { className: "frame" }, this.head);
    if (data.panels) frame.append(this.controls.element);
    frame.append(this.failure, this.begins, this.charts);
    if (data.panels) this.tiles.style.order = "1"; // after the first chart
    (data.panels ? this.charts : frame).append(this.tiles);
    root.append(frame);
    this.board = new Board(this.charts, `run-${data.run}`, (range) => this.zoomed(range));
    this.feed = new Feed(data.url, (finer) => this.draw(finer), (words) => this.fail(words), () => this.notice.follows);
    this.ask();
  }

  update(call: Call<Data>): void {
    const rerun = this.data.run !== call.data.run;
    this.call = call;
    this.controls.withTypes(this.data.types);
    if (rerun) this.ask();
    else this.draw(true);
  }

  destroy(): void {
    this.feed.destroy();
    this.board.destroy();
  }

  private get data(): Data {
    return this.call.data;
  }

  private ask(): void {
    const { run, panels } = this.data;
    const { x, smoothing, types } = this.shown;
    const metrics = RUN_METRICS.map((name) => (name === "parts" && types ? "types" : name));
    this.feed.show([run], { metrics: panels ? metrics : ["samples"], x, smoothing, tiles: true });
  }

  private draw(finer: boolean): void {
    const run = this.feed.runs.get(this.data.run);
    if (!run) return;
    this.failure.hidden = true;
    this.line.textContent = run.line ?? "";
    this.bar.hidden = run.over;
    (this.bar.firstElementChild as HTMLElement).style.width = `${100 * (run.share ?? 0)}%`;
    run.tiles?.forEach(([value, change, note], i) => this.tile(i, value, change, note));
    this.begin(run);
    this.tiles.hidden ||= !run.tiles?.some(([value]) => value !== MISSING);
    this.controls.element.hidden ||= run.over && !run.train_step;
    this.notice.look(run.over, run.line ?? run.status, run.events.filter((event) => event.kind === "alert"));
    if (this.data.panels && !run.beginning) {
      const panels = runPanels(run, this.shown, this.data.notes);
      const end = this.shown.x !== "step" ? 0 : run.over ? run.train_step : run.total_train_steps;
      this.board.draw(panels, this.shown.x, end, finer);
    }
    this.compare(run.status, run.events.filter((event) => event.kind === "alert").length);
  }

  private begin(run: RunCurves): void {
    const { beginning } = run;
    this.begins.hidden = !beginning;
    this.charts.hidden = this.controls.element.hidden = Boolean(beginning);
    this.tiles.hidden = !this.data.panels && Boolean(beginning);
    this.begins.replaceChildren(...(beginning ? [beginningList(beginning)] : []));
  }

  private tile(place: number, value: string, change: string, note: string): void {
    const [shown, below] = this.values[place] ?? [];
    if (!shown || !below) return;
    shown.parentElement!.hidden = value === MISSING;
    shown.textContent = value;
    below.textContent = change || note;
    below.className = !change ? "change" : change.startsWith("+") ? "change worse" : "change better";
  }

  /** Have the page around drawn again where it shows what is no longer so. */
  private compare(status: string, alerts: number): void {
    const samples = this.feed.runs.get(this.data.run)?.curves.get("samples.rows")?.s.length ?? 0;
    const total = this.feed.runs.get(this.data.run)?.total_train_steps ?? 0;
    const differs = status !== this.data.status || alerts !== this.data.alerts || total !== this.data.total
      || (this.data.samples !== null && samples > this.data.samples);
    const now = `${status} ${alerts} ${total} ${samples}`;
    if (differs && now !== this.told) {
      this.told = now;
      this.call.setTriggerValue("changed", now);
    }
  }

  private zoomed(range: [number, number] | null): void {
    this.controls.zoomed(range !== null);
    if (range) void this.feed.refine(...range);
    else void this.feed.coarse();
  }

  private showAll(): void {
    this.board.setZoom(null);
    this.zoomed(null);
  }

  private fail(words: string): void {
    this.failure.hidden = false;
    this.failure.textContent = words;
  }
}
