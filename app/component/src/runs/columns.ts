// The columns of the list of runs.

import { duration, numberWords } from "../charts/format";
import { el } from "../shared/dom";
import type { Row } from "./model";
import { state, STATES } from "./state";

export interface Column {
  title: string;
  width: string; // of a grid
  number?: boolean;
  cell(row: Row): Node | string;
  help?: string;
}

const NONE = "–";

const METHODS: Record<string, string> = { full: "All weights", lora: "LoRA", qlora: "QLoRA" };

export function facetWords(facet: string, value: string): string {
  if (facet === "status") return STATES[value]?.[0] ?? value;
  if (facet === "method") return METHODS[value] ?? value;
  if (facet === "dataset") return value.replace(/:(\d+)$/, " v$1");
  return value;
}

const number = (title: string, width: string, of: (row: Row) => string, help?: string): Column => ({
  title, width, number: true, cell: of, ...(help ? { help } : {}),
});
export const loss = (value: number | null): string => (value == null ? NONE : value.toFixed(3));
export const share = (value: number | null): string => (value == null ? NONE : `${(100 * value).toFixed(1)}%`);
const plain = (value: number | null): string => (value == null ? NONE : numberWords(value));
const text = (value: string | null, words = (full: string): string => full): HTMLElement | string =>
  value ? el("bdi", { title: value }, words(value)) : NONE;
const shortModel = (id: string): string => id.slice(id.lastIndexOf("/") + 1);

const NATS = "Nats per token; lower is better.";

export const COLUMNS: ReadonlyMap<keyof Row, Column> = new Map<keyof Row, Column>([
  ["status", { title: "State", width: "112px", cell: state }],
  ["model", { title: "Model", width: "minmax(106px,.9fr)", cell: (row) => text(row.model, shortModel) }],
  ["dataset", { title: "Dataset", width: "minmax(80px,.6fr)", cell: (row) => text(facetWords("dataset", row.dataset)) }],
  ["method", {
    title: "Method", width: "92px",
    cell: (row) => (row.method ? facetWords("method", row.method) + (row.lora_rank ? ` ${row.lora_rank}` : "") : NONE),
  }],
  ["tags", { title: "Tags", width: "minmax(70px,.8fr)", cell: (row) => tags(row) }],
  ["created", { title: "Started", width: "108px", number: true, cell: (row) => when(row.started ?? row.created) }],
  ["seconds", number("Trained", "88px", (row) => duration(row.seconds), "Time trained")],
  ["train_step", number("Train steps", "92px", (row) => plain(row.train_step))],
  ["train_loss", number("Train loss", "86px", (row) => loss(row.train_loss), NATS)],
  ["eval_loss", number("Eval loss", "82px", (row) => loss(row.eval_loss), NATS)],
  ["best_eval_loss", number("Best eval", "84px", (row) => loss(row.best_eval_loss), `Lowest eval loss. ${NATS}`)],
  ["base", number("Base", "72px", (row) => share(row.base), "Exact match of the base model")],
  ["tuned", number("Exact match", "98px", (row) => share(row.tuned), "Exact match of the tuned model")],
  ["learning_rate", number("Learning rate", "106px", (row) => plain(row.learning_rate))],
  ["batch_size", number("Batch", "66px", (row) => plain(row.batch_size), "Rows per batch")],
  ["max_seq_length", number("Max tokens", "92px", (row) => plain(row.max_seq_length), "Maximum tokens per row")],
  ["trained_tokens", number("Tokens", "84px", (row) => plain(row.trained_tokens), "Trained tokens")],
  ["alerts", number("Alerts", "66px", (row) => (row.alerts ? String(row.alerts) : NONE))],
]);

export const STANDARD: readonly (keyof Row)[] = [
  "status", "model", "dataset", "created", "seconds", "eval_loss", "tuned",
];
/** What is left where the charts stand beside the list. */
export const NARROW: readonly (keyof Row)[] = ["status", "created", "eval_loss", "tuned"];

export function tags(row: Row): HTMLElement {
  return el("span", { className: "tags" }, ...row.tags.map((tag) => el("bdi", { className: "tag" }, tag)));
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const old = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** `14:05` today, `3 Nov 14:05` this year, `3 Nov 2025` before. */
export function when(seconds: number): string {
  const then = new Date(seconds * 1000);
  const now = new Date();
  if (then.toDateString() === now.toDateString()) return clock.format(then);
  if (then.getFullYear() === now.getFullYear()) return `${day.format(then)} ${clock.format(then)}`;
  return old.format(then);
}
