// The charts of one run, and those of several runs over each other.

import { CURVES, looks } from "./colors";
import type { Points, RunCurves } from "./feed";
import type { Line, Panel } from "./lines";

const NATS = "nats/token";
const NOTHING: Points = { s: [], y: [] };

/** What the charts of one run fetch. */
export const RUN_METRICS = [
  "loss", "eval_loss", "samples", "parts", "grad_norm", "learning_rate", "tokens_per_second", "waiting",
  "memory_bytes", "peak_memory_bytes",
];

const SHARES: [string, string, string, number[]][] = [
  ["exact_match", "Exact match", CURVES.teal, []],
  ["flexible_match", "Right in any form", CURVES.teal, [2, 3]],
  ["format_valid", "Format valid", CURVES.blue, []],
  ["repetition", "Repetition", CURVES.pink, [2, 3]],
  ["hit_limit", "Cut at the limit", CURVES.rust, [2, 3]],
];

export interface Options {
  smoothing: number;
  log: boolean;
  skip: boolean;
  types: boolean;
  more: boolean; // charts beside the losses
}

const SKIPPED = 20; // train steps: the loss before may hide the rest

export function runPanels(run: RunCurves, options: Options, notes: Record<string, string>): Panel[] {
  const get = (name: string): Points => cut(run.curves.get(name) ?? NOTHING, options.skip);
  const has = (name: string): boolean => !!run.curves.get(name)?.s.length;
  const line = (key: string, label: string, color: string, more: Partial<Line> = {}): Line => ({
    key, label, color, points: more.points ?? get(key), ...more,
  });
  const panels: Panel[] = [
    {
      id: "loss", title: "Loss", note: "lower is better", unit: NATS, large: true, log: options.log,
      events: run.events, none: run.over ? "No curves: the run ended before its first train step." : "The curves begin with the first train step.",
      lines: !has("loss") ? [] : [
        ...(options.smoothing
          ? [
              line("loss", "Train, raw", CURVES.blue, { width: 1, alpha: 0.3 }),
              line("loss~", `Train, smoothed ${options.smoothing}`, CURVES.blue, { width: 2 }),
            ]
          : [line("loss", "Train", CURVES.blue)]),
        ...(has("eval_loss") ? [line("eval_loss", "Eval", CURVES.rust, { dots: true, width: 2 })] : []),
      ],
    },
  ];
  if (has("samples.rows")) panels.push(answers(line, has));
  const group = options.types ? "types." : "parts.";
  const names = [...run.curves.keys()].filter((name) => name.startsWith(group));
  if (names.length) {
    panels.push({
      id: "parts", title: options.types ? "Loss by step type" : "Loss by part", note: "train loss, smoothed",
      unit: NATS, log: options.log,
      lines: names.map((name, i) => line(name, capital(name.slice(group.length)), partColor(name, i))),
    });
  }
  panels.push(
    {
      id: "gradient", title: "Gradient norm", note: notes["gradient"] ?? "", unit: "L2 norm", log: options.log,
      lines: has("grad_norm") ? [line("grad_norm", "Gradient norm", CURVES.blue, { width: 1.25 })] : [],
    },
    {
      id: "rate", title: "Learning rate", note: notes["rate"] ?? "", unit: "learning rate", zero: true,
      lines: has("learning_rate") ? [line("learning_rate", "Learning rate", CURVES.blue)] : [],
    },
    throughput(line, has),
  );
  if (has("memory_bytes")) panels.push(memory(run, line, notes));
  return panels.filter((panel) => panel.lines.length || panel.id === "loss");
}

type Draw = (key: string, label: string, color: string, more?: Partial<Line>) => Line;

function answers(line: Draw, has: (name: string) => boolean): Panel {
  const shares = SHARES.filter(([key]) => has(`samples.${key}`)).map(([key, label, color, dash]) => {
    const made = line(`samples.${key}`, label, color, { dash, dots: true });
    return { ...made, points: scaled(made.points, 100) };
  });
  const length = line("samples.mean_tokens", "Tokens", CURVES.gray, { dash: [6, 4], right: true, dots: true });
  return {
    id: "samples", title: "Answers to the fixed prompts", note: "greedy, at each evaluation",
    unit: "share of the answers (%)", right: "tokens per answer", zero: true, lines: [...shares, length],
  };
}

function throughput(line: Draw, has: (name: string) => boolean): Panel {
  const waits = has("waiting");
  return {
    id: "throughput", title: "Throughput", note: "trained tokens", unit: "tokens/s", zero: true,
    ...(waits ? { right: "waiting for rows (%)" } : {}),
    lines: has("tokens_per_second")
      ? [
          line("tokens_per_second", "Tokens/s", CURVES.blue, { width: 1.25 }),
          ...(waits ? [line("waiting", "Waiting (%)", CURVES.gray, { width: 1, dash: [6, 4], right: true })] : []),
        ]
      : [],
  };
}

function memory(run: RunCurves, line: Draw, notes: Record<string, string>): Panel {
  const bytes = (key: string, label: string, color: string, dash: number[]): Line => {
    const made = line(key, label, color, { dash });
    return { ...made, points: scaled(made.points, 1e-9) };
  };
  const lines = [bytes("memory_bytes", "In use", CURVES.blue, [])];
  if (run.curves.has("peak_memory_bytes")) lines.push(bytes("peak_memory_bytes", "Peak", CURVES.rust, [6, 4]));
  return { id: "memory", title: "Memory", note: notes["memory"] ?? "", unit: "GB", zero: true, lines };
}

/** The metrics that several runs are compared by: name, title, unit. */
export const OVERLAYS: {
  metric: string; title: string; unit: string; factor?: number; loss?: boolean; more?: boolean;
}[] = [
  { metric: "loss", title: "Train loss", unit: NATS, loss: true },
  { metric: "eval_loss", title: "Eval loss", unit: NATS, loss: true },
  { metric: "samples.exact_match", title: "Exact match of the fixed prompts", unit: "%", factor: 100 },
  { metric: "grad_norm", title: "Gradient norm", unit: "L2 norm", loss: true, more: true },
  { metric: "learning_rate", title: "Learning rate", unit: "learning rate", more: true },
  { metric: "tokens_per_second", title: "Throughput", unit: "tokens/s", more: true },
];

/** One chart per metric that any of the runs has, a line per run. `names` are shown beside the ids. */
export function overlayPanels(
  runs: readonly RunCurves[],
  ids: readonly string[],
  names: ReadonlyMap<string, string>,
  options: Options,
  dark: boolean,
): Panel[] {
  const looked = looks(ids, dark);
  const panels: Panel[] = [];
  for (const { metric, title, unit, factor, loss } of OVERLAYS.filter(({ more }) => options.more || !more)) {
    const smoothed = metric === "loss" && options.smoothing ? "loss~" : metric;
    const lines = runs.flatMap((run): Line[] => {
      const points = run.curves.get(smoothed);
      if (!points?.s.length) return [];
      const look = looked.get(run.id)!;
      const shown = scaled(cut(points, options.skip), factor ?? 1);
      return [{ key: run.id, label: `${names.get(run.id) ?? ""} ${run.id}`, points: shown, ...look,
        dots: metric === "eval_loss" || metric.startsWith("samples.") }];
    });
    if (!lines.length && metric !== "loss") continue;
    const note = smoothed === "loss~" ? `smoothed ${options.smoothing}` : "";
    panels.push({
      id: metric, title, unit, note, lines, legend: false, log: !!loss && options.log, zero: !loss,
      large: metric === "loss",
    });
  }
  return panels;
}

function cut(points: Points, skip: boolean): Points {
  if (!skip) return points;
  const from = points.s.findIndex((step) => step > SKIPPED);
  if (from < 0) return NOTHING;
  return {
    s: points.s.slice(from), y: points.y.slice(from), ...(points.x ? { x: points.x.slice(from) } : {}),
  };
}

function scaled(points: Points, factor: number): Points {
  return factor === 1 ? points : { ...points, y: points.y.map((value) => (value == null ? null : value * factor)) };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function partColor(name: string, place: number): string {
  if (name.endsWith(".format")) return CURVES.gray;
  if (name.endsWith(".answer")) return CURVES.rust;
  const number = Number(name.split(" ")[1]);
  return CURVES.steps[(Number.isFinite(number) && number > 0 ? number - 1 : place) % CURVES.steps.length]!;
}
