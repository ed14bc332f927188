// The state of a run, as every list shows it.

import { el } from "../shared/dom";
import type { Row } from "./model";

export const STATES: Record<string, [string, string]> = {
  queued: ["Queued", "gray"], loading: ["Loading", "blue"], compiling: ["Compiling", "blue"],
  running: ["Running", "blue"], stopping: ["Stopping", "amber"], succeeded: ["Finished", "green"],
  failed: ["Failed", "red"], stopped: ["Stopped", "amber"], interrupted: ["Interrupted", "amber"],
  broken: ["Broken", "red"],
};

/** States in which a run may change at any moment. */
export const LIVE: ReadonlySet<string> = new Set(["queued", "loading", "compiling", "running", "stopping"]);

export function state(row: Pick<Row, "status" | "train_step" | "total_train_steps">): HTMLElement {
  const [words, color] = STATES[row.status] ?? [row.status, "gray"];
  const live = color === "blue" && row.total_train_steps;
  const share = live ? `${Math.floor((100 * (row.train_step ?? 0)) / row.total_train_steps!)}%` : "";
  return el("span", { className: `state ${color}` }, el("i", {}), words, ...(share ? [el("small", {}, share)] : []));
}
