/** The newest runs: state, the shape of the train loss, results. */

import { facetWords, loss, share, when } from "../runs/columns";
import type { Row as Run } from "../runs/model";
import { LIVE, state } from "../runs/state";
import type { Listing } from "./kinds";

type Recent = Pick<Run, "id" | "name" | "status" | "dataset" | "created" | "train_step" | "total_train_steps" | "eval_loss" | "tuned">
  & { curve: number[] };

interface Answer {
  runs: Recent[];
  reading: number;
}

const SIZE = { width: 110, height: 22 };

export const recent: Listing<Answer> = {
  columns: () => [
    { title: "Run", width: "minmax(0,1fr)", small: true },
    { title: "State", width: "124px", small: true },
    { title: "Dataset", width: "minmax(80px,.4fr)", less: true },
    { title: "Train loss", width: `${SIZE.width}px`, less: true },
    { title: "Eval loss", width: "82px", number: true, help: "Nats per token; lower is better" },
    { title: "Exact match", width: "98px", number: true, help: "Of the tuned model" },
    { title: "Started", width: "112px", number: true },
  ],
  rows: ({ runs }) => runs.map((run) => ({
    key: run.id,
    query: {},
    name: 0,
    code: run.id,
    cells: [
      run.name,
      () => state(run),
      facetWords("dataset", run.dataset) || null,
      run.curve.length > 1 ? () => curve(run.curve) : null,
      loss(run.eval_loss),
      share(run.tuned),
      when(run.created),
    ],
  })),
  changes: ({ runs, reading }) => reading > 0 || runs.some((run) => LIVE.has(run.status)),
};

/** A line without axes: how the loss fell. */
function curve(values: number[]): SVGElement {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const points = values.map((value, i) => {
    const x = (i / (values.length - 1)) * (SIZE.width - 2) + 1;
    const y = (1 - (value - low) / (high - low || 1)) * (SIZE.height - 4) + 2;
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  const svg = (name: string, attributes: Record<string, string | number>, ...children: SVGElement[]): SVGElement => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
    made.append(...children);
    return made;
  };
  const label = `Train loss from ${values[0]!.toFixed(3)} to ${values.at(-1)!.toFixed(3)}`;
  return svg("svg", { ...SIZE, class: "curve", role: "img", "aria-label": label }, svg("polyline", { points: points.join(" ") }));
}
