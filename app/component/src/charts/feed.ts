// The curves of runs from the route, whole at first and then only what is new.

import { load } from "../shared/load";
import type { Phase } from "./beginning";

export type Along = "step" | "tokens" | "time";

export interface Points {
  s: number[];
  y: (number | null)[];
  x?: number[];
}

export interface RunEvent {
  s: number;
  x: number;
  kind: string;
  words: string;
}

export interface RunCurves {
  id: string;
  status: string;
  over: boolean;
  next: string;
  train_step: number;
  total_train_steps: number;
  curves: Map<string, Points>;
  events: RunEvent[];
  tiles?: [string, string, string][];
  line?: string;
  share?: number;
  beginning?: Phase[] | null; // before the first train step
}

export interface Query {
  metrics: string[];
  x: Along;
  smoothing: number;
  tiles?: boolean;
}

interface Told extends Omit<RunCurves, "curves"> {
  whole: boolean;
  curves: Record<string, Points>;
}

const POINTS = 500;
const MOST = 3 * POINTS; // points of a live curve before it is thinned again
const TICK = 1000; // milliseconds between two looks at runs that train

export class Feed {
  readonly runs = new Map<string, RunCurves>();
  private timer = 0;
  private busy = false; // one look at a time: two would append the same points
  private asked = 0; // answers to an earlier question are dropped
  private query: Query = { metrics: [], x: "step", smoothing: 0 };
  private ids: string[] = [];

  constructor(
    private readonly url: string,
    private readonly changed: (finer: boolean) => void, // finer: other points of the same stretch
    private readonly failed: (words: string) => void,
    private readonly always = (): boolean => false, // whether to look while the tab is hidden
  ) {
    document.addEventListener("visibilitychange", this.wake);
  }

  /** Show these runs. What is known of a run stays while only the choice of runs differs. */
  show(ids: readonly string[], query: Query): void {
    const same = JSON.stringify(query) === JSON.stringify(this.query);
    this.query = query;
    this.ids = [...ids];
    if (!same) this.runs.clear();
    for (const id of [...this.runs.keys()]) if (!ids.includes(id)) this.runs.delete(id);
    const missing = ids.filter((id) => !this.runs.has(id));
    this.asked++;
    if (missing.length) void this.fetchWhole(missing);
    else this.changed(true);
    this.plan();
  }

  /** More points between two ends of the axis, in place of the few that are known there. */
  async refine(first: number, last: number): Promise<void> {
    const asked = this.asked;
    const answer = await this.ask(this.ids.map((id) => ["run", id]), { first: String(first), last: String(last) });
    if (!answer || asked !== this.asked) return;
    for (const told of answer) {
      const run = this.runs.get(told.id);
      for (const [name, points] of Object.entries(told.curves)) {
        const known = run?.curves.get(name);
        if (run && known) run.curves.set(name, spliced(known, points, first, last));
      }
    }
    this.changed(true);
  }

  /** Forget refined points. */
  async coarse(): Promise<void> {
    this.asked++;
    await this.fetchWhole(this.ids);
  }

  /** Plan the next look again, as `always` has changed. */
  replan(): void {
    this.plan();
  }

  destroy(): void {
    clearTimeout(this.timer);
    this.asked++;
    document.removeEventListener("visibilitychange", this.wake);
  }

  private readonly wake = (): void => {
    if (!document.hidden) void this.tick();
  };

  private plan(): void {
    clearTimeout(this.timer);
    const live = [...this.runs.values()].some((run) => !run.over);
    if (live && (!document.hidden || this.always())) this.timer = window.setTimeout(() => void this.tick(), TICK);
  }

  private async tick(): Promise<void> {
    const live = [...this.runs.values()].filter((run) => !run.over);
    const asked = this.asked;
    if (live.length && !this.busy) {
      this.busy = true;
      const answer = await this.ask(live.map((run) => ["next", run.next]), {});
      this.busy = false;
      if (asked !== this.asked) return;
      if (answer) {
        answer.forEach((told) => this.take(told));
        this.changed(answer.some((told) => told.whole));
        const long = [...this.runs.values()].filter((run) => [...run.curves.values()].some((c) => c.s.length > MOST));
        if (long.length) await this.fetchWhole(long.map((run) => run.id));
      }
    }
    this.plan();
  }

  private async fetchWhole(ids: readonly string[]): Promise<void> {
    const asked = this.asked;
    const answer = await this.ask(ids.map((id) => ["run", id]), {});
    if (!answer || asked !== this.asked) return;
    answer.forEach((told) => this.take(told));
    this.changed(true);
    this.plan();
  }

  private async ask(runs: string[][], more: Record<string, string>): Promise<Told[] | null> {
    const { metrics, x, smoothing, tiles } = this.query;
    const query = new URLSearchParams([...runs, ...metrics.map((name) => ["metric", name])]);
    query.set("x", x);
    query.set("points", String(POINTS));
    if (smoothing) query.set("smoothing", String(smoothing));
    if (tiles) query.set("tiles", "true");
    for (const [name, value] of Object.entries(more)) query.set(name, value);
    try {
      return (await load<{ series: Told[] }>(`${this.url}?${query}`)).series;
    } catch (error) {
      this.failed(error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  private take(told: Told): void {
    const known = this.runs.get(told.id);
    const { curves, events, ...rest } = told;
    if (!known || told.whole) {
      this.runs.set(told.id, { ...rest, events, curves: new Map(Object.entries(curves)) });
      return;
    }
    Object.assign(known, rest);
    known.events.push(...events);
    for (const [name, points] of Object.entries(curves)) {
      const old = known.curves.get(name);
      if (!old) known.curves.set(name, points);
      else append(old, points);
    }
  }
}

function append(old: Points, points: Points): void {
  for (let i = 0; i < points.s.length; i++) {
    old.s.push(points.s[i]!);
    old.y.push(points.y[i]!);
    if (points.x) (old.x ??= []).push(points.x[i]!);
  }
}

function spliced(known: Points, points: Points, first: number, last: number): Points {
  const xs = known.x ?? known.s;
  const from = xs.findIndex((x) => x >= first);
  const begin = from < 0 ? xs.length : from;
  let end = begin;
  while (end < xs.length && xs[end]! <= last) end++;
  const join = <T>(a: T[], b: T[]): T[] => [...a.slice(0, begin), ...b, ...a.slice(end)];
  return {
    s: join(known.s, points.s),
    y: join(known.y, points.y),
    ...(known.x && points.x ? { x: join(known.x, points.x) } : {}),
  };
}
