// Charts that share a crosshair and a zoom, drawn by uPlot.

import uPlot from "uplot";

import { el } from "../shared/dom";
import { themeValue } from "../shared/theme";
import { axisWords, numberWords, type Axis } from "./format";
import { inWords, joined, lastKnown, nearest, padded, type Panel } from "./lines";
import { marks, onBackground, swatch } from "./marks";
import { Tip } from "./tip";

interface Plot {
  panel: Panel;
  signature: string;
  card: HTMLElement;
  chart: uPlot | null;
  values: HTMLElement[]; // of the legend
  drawn: string; // what the picture depends on, as it was last drawn
  end: number; // position of the last point then
  seen: boolean; // whether it is in view: others are drawn when they come into it
}

const HEIGHT = { large: 320, small: 220 };
const FEWEST_PIXELS = 5; // of a drag: less is a click
const SEEN_PIXELS = 2; // by which a curve has to move for a new picture
const FEW = 200; // points of a curve up to which each new one is drawn
export class Board {
  private readonly plots = new Map<string, Plot>();
  private readonly sync: uPlot.SyncPubSub;
  private readonly tip: Tip;
  private readonly resize: ResizeObserver;
  private readonly inView = new IntersectionObserver((entries) => {
    for (const entry of entries) this.comes(entry.target, entry.isIntersecting);
  });
  private zoom: [number, number] | null = null;
  private axis: Axis = "step";
  private end = 0;
  private finer = false; // the same stretch with more points
  private theme = "";

  constructor(
    private readonly host: HTMLElement,
    key: string,
    private readonly zoomed: (range: [number, number] | null) => void,
  ) {
    this.sync = uPlot.sync(key);
    this.tip = new Tip(host);
    this.resize = new ResizeObserver(() => this.fit());
    this.resize.observe(host);
  }

  /**
   * Draw the panels. A chart whose lines are the same is kept in place, with its zoom and its crosshair. `finer`: its
   * points are others than before.
   */
  draw(panels: Panel[], axis: Axis, end: number, finer = false): void {
    this.finer = finer;
    const theme = finer ? themeValue(this.host, "--st-background-color") : this.theme; // a change of it comes so
    const rebuilt = axis !== this.axis || theme !== this.theme;
    this.theme = theme;
    this.axis = axis;
    this.end = end;
    const wanted = new Set(panels.map((panel) => panel.id));
    for (const [id, plot] of this.plots) if (!wanted.has(id)) this.drop(id, plot);
    panels.forEach((panel, place) => {
      const plot = this.plots.get(panel.id) ?? this.add(panel);
      plot.card.style.order = String(2 * place); // with room for what a page puts between
      this.show(plot, panel, rebuilt);
    });
  }

  setZoom(range: [number, number] | null): void {
    this.zoom = range;
    for (const plot of this.plots.values()) plot.chart?.setScale("x", this.range(plot.end));
  }

  png(): Promise<[string, Blob][]> {
    const made = [...this.plots.values()].filter((plot) => plot.chart).map(
      (plot) =>
        new Promise<[string, Blob]>((done) =>
          onBackground(plot.chart!.ctx.canvas, this.theme).toBlob((blob) => done([plot.panel.id, blob!])),
        ),
    );
    return Promise.all(made);
  }

  destroy(): void {
    this.resize.disconnect();
    this.inView.disconnect();
    for (const [id, plot] of this.plots) this.drop(id, plot);
  }

  private add(panel: Panel): Plot {
    const card = el("div", { className: "card" });
    const plot: Plot = { panel, signature: "", card, chart: null, values: [], drawn: "", end: 0, seen: true };
    this.plots.set(panel.id, plot);
    this.host.append(card);
    this.inView.observe(card);
    return plot;
  }

  private drop(id: string, plot: Plot): void {
    plot.chart?.destroy();
    this.inView.unobserve(plot.card);
    plot.card.remove();
    this.plots.delete(id);
  }

  private show(plot: Plot, panel: Panel, rebuilt: boolean): void {
    const signature = JSON.stringify([
      panel.title, panel.note, panel.unit, panel.log, panel.zero, panel.right, panel.large, panel.legend,
      panel.lines.map((line) => [line.key, line.label, line.color, line.dash, line.width, line.alpha, line.right]),
    ]);
    plot.panel = panel;
    plot.card.setAttribute("aria-label", inWords(panel));
    if (signature !== plot.signature || rebuilt || !plot.chart) {
      plot.signature = signature;
      this.build(plot);
    } else if (plot.seen) {
      this.refresh(plot);
    }
    this.tell(plot, plot.chart?.cursor.idx ?? null);
  }

  /** Draw the newest points, unless a reader would see no difference. */
  private refresh(plot: Plot): void {
    const { chart, panel } = plot;
    if (!chart) return;
    const lines = panel.lines.map((line) => line.points);
    const end = Math.max(0, ...lines.map(({ x, s }) => (x ?? s).at(-1) ?? 0));
    const range = this.range(end);
    const dots = panel.lines.filter((line) => line.dots).map((line) => line.points.s.length);
    const starts = lines.map(({ x, s }) => [(x ?? s)[0], s.length < FEW ? s.length : 0]);
    const drawn = JSON.stringify([range, dots, starts, panel.events?.length]);
    const moved = (Math.abs(end - plot.end) / (range.max - range.min)) * chart.width;
    if (drawn === plot.drawn && moved < SEEN_PIXELS && !this.finer) return;
    Object.assign(plot, { drawn, end });
    chart.setData(joined(panel.lines), false);
    chart.setScale("x", range);
  }

  private comes(card: Element, seen: boolean): void {
    for (const plot of this.plots.values()) {
      if (plot.card !== card) continue;
      if (seen && !plot.seen) this.refresh(plot);
      plot.seen = seen;
    }
  }

  private build(plot: Plot): void {
    const { panel, card } = plot;
    plot.chart?.destroy();
    plot.chart = null;
    plot.values = [];
    card.className = panel.large ? "card large" : "card";
    card.setAttribute("role", "figure");
    card.dataset["panel"] = panel.id;
    const head = el("header", {}, el("h2", {}, panel.title), el("span", { className: "note" }, panel.note));
    const legend = el("div", { className: "legend" });
    if (panel.legend !== false) {
      for (const line of panel.lines) {
        const value = el("b", {});
        plot.values.push(value);
        legend.append(el("span", {}, swatch(line.color, line.dash), el("bdi", {}, line.label), value));
      }
    }
    const place = el("div", { className: "plot" });
    legend.hidden = panel.legend === false;
    card.replaceChildren(head, legend, place);
    if (!panel.lines.length) {
      place.append(el("p", { className: "none" }, panel.none ?? "Nothing was recorded yet."));
      return;
    }
    plot.chart = new uPlot(this.options(plot, this.width(plot)), joined(panel.lines), place);
    plot.drawn = "";
    this.refresh(plot);
  }

  private options(plot: Plot, width: number): uPlot.Options {
    const { panel } = plot;
    const style = getComputedStyle(this.host);
    const text = style.color;
    const grid = themeValue(this.host, "--st-border-color");
    const font = `13px ${style.fontFamily}`;
    const values = (_u: uPlot, splits: number[]): string[] => splits.map((value) => numberWords(value));
    const axis = { stroke: text, font, labelFont: font, labelSize: 18, ticks: { show: false }, gap: 6 };
    const lined = { ...axis, grid: { stroke: grid, width: 1 } };
    const range: uPlot.Range.Function = (_u, low, high) => padded(low, high, panel);
    const scale: uPlot.Scale = panel.log ? { distr: 3 } : { range };
    return {
      width,
      height: panel.large ? HEIGHT.large : HEIGHT.small,
      padding: [8, panel.right ? 4 : 14, 0, 0],
      legend: { show: false },
      cursor: {
        // a drag stays in its own chart: all are zoomed when it ends
        sync: {
          key: this.sync.key,
          setSeries: false,
          scales: ["x", null],
          filters: { pub: (type) => type === "mousemove" || type === "mouseleave", sub: () => true },
        },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => (this.reset(), null) },
        points: { size: 7 },
        focus: { prox: 16 },
        dataIdx: (u, series, idx) => nearest(u, series, idx),
      },
      focus: { alpha: panel.lines.length > 8 ? 0.35 : 1 },
      scales: { x: { time: false }, y: scale, right: { range: (_u, low, high) => padded(low, high, { zero: true }) } },
      axes: [
        { ...lined, size: 36, space: 70, values: (_u, splits) => axisWords(this.axis, splits), grid: { show: false } },
        { ...lined, label: panel.unit, size: 52, space: 36, values },
        ...(panel.right
          ? [{ ...axis, scale: "right", side: 1 as const, label: panel.right, size: 48, grid: { show: false }, values }]
          : []),
      ],
      series: [
        {},
        ...panel.lines.map(
          (line): uPlot.Series => ({
            label: line.label,
            scale: line.right ? "right" : "y",
            stroke: line.color,
            width: line.width ?? 1.75,
            alpha: line.alpha ?? 1,
            dash: line.dash ?? [],
            spanGaps: true,
            points: line.dots ? { show: true, size: 6, fill: line.color } : { show: line.points.s.length === 1 },
          }),
        ),
      ],
      hooks: {
        setSelect: [(u) => this.selected(u)],
        setCursor: [(u) => this.moved(plot, u)],
        draw: [(u) => marks(u, plot.panel.events ?? [])],
      },
    };
  }

  private selected(u: uPlot): void {
    const { left, width } = u.select;
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (width < FEWEST_PIXELS) return;
    this.setZoom([u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
    this.zoomed(this.zoom);
  }

  private reset(): void {
    if (!this.zoom) return;
    this.setZoom(null);
    this.zoomed(null);
  }

  private range(newest: number): { min: number; max: number } {
    if (this.zoom) return { min: this.zoom[0], max: this.zoom[1] };
    return { min: 0, max: Math.max(this.end, newest) || 1 };
  }

  private moved(plot: Plot, u: uPlot): void {
    this.tell(plot, u.cursor.idx ?? null);
    this.tip.follow(plot.panel, u, this.axis);
  }

  /** The values at the crosshair, or the newest ones, in the legend. */
  private tell(plot: Plot, idx: number | null): void {
    plot.values.forEach((place, i) => {
      const drawn = idx != null && plot.chart;
      const ys = drawn ? plot.chart!.data[i + 1]! : plot.panel.lines[i]!.points.y;
      const at = drawn ? nearest(plot.chart!, i + 1, idx) : lastKnown(ys);
      place.textContent = at == null || ys[at] == null ? "" : numberWords(ys[at] as number);
    });
  }

  private fit(): void {
    for (const plot of this.plots.values()) {
      const width = this.width(plot);
      if (plot.chart && width > 0 && Math.abs(width - plot.chart.width) > 1) {
        plot.chart.setSize({ width, height: plot.chart.height });
      }
    }
  }

  private width(plot: Plot): number {
    return plot.card.querySelector(".plot")?.clientWidth || 300;
  }

}
