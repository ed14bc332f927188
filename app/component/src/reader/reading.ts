/** What a reader shows: the JSON of `/api/traces/{id}/reading`, and how it becomes a list of items. */

export interface Score {
  name: string;
  value: number;
  by: string;
  human: boolean;
  step: number | null;
}

export interface Called {
  name: string;
  arguments: string;
  id: string | null;
}

export interface Turn {
  role: string;
  text: string;
  reasoning: string;
  calls: Called[];
  note: string;
}

export interface Reading {
  system: string | null;
  tools: { name: string; text: string }[];
  before: Turn[];
  prompt: string | null;
  turns: Turn[];
  steps: { type: string; text: string }[];
  calls: Called[];
  answer: string | null;
  reference: string | null;
  verdict: "same" | "differs" | null;
  scores: Score[];
  doubts: string[];
  output: string | null;
}

/** A stretch of text of an item. `code`: its language, where it is code as a whole. */
export interface Piece {
  caption?: string;
  text: string;
  code?: string;
}

export type Tint = "blue" | "green" | "amber" | "pink" | "grey";

/** One entry of the list. `step` counts from 0. */
export interface Item {
  kind: "heading" | "turn" | "step" | "answer" | "doubt";
  name: string;
  tint?: Tint;
  note?: string;
  step?: number;
  pieces: Piece[];
  folded?: boolean;
}

const LONG = 1_500; // characters of a turn that begins folded
const MANY = 8; // turns before the prompt that begin folded
const DEFAULT_TYPE = "reason";
const ROLES: Record<string, { name: string; tint: Tint }> = {
  user: { name: "User", tint: "blue" },
  assistant: { name: "Model", tint: "green" },
  tool: { name: "Tool", tint: "amber" },
  system: { name: "System", tint: "grey" },
};
const TYPES: Record<string, Tint> = {
  plan: "blue", think: "blue", compute: "green", calculate: "green", tool: "green", check: "pink", verify: "pink",
  conclude: "amber", answer: "amber",
};

/** The items of a reading in the order in which it was said. `exact`: the model's output as it was written. */
export function itemsOf(reading: Reading, exact: boolean): Item[] {
  const items: Item[] = [];
  if (reading.system) items.push({ kind: "turn", name: "System prompt", tint: "grey", pieces: [{ text: reading.system }], folded: reading.system.length > LONG });
  for (const tool of reading.tools) {
    items.push({ kind: "turn", name: "Tool", tint: "grey", note: tool.name, pieces: [{ text: tool.text, code: "json" }], folded: true });
  }
  if (reading.before.length) {
    items.push(heading(`Before the prompt · ${counted(reading.before.length, "turn")}`));
    items.push(...reading.before.map((turn) => turnItem(turn, reading.before.length > MANY)));
  }
  if (reading.prompt !== null) items.push({ kind: "turn", name: "Prompt", tint: "blue", pieces: [{ text: reading.prompt }] });
  if (reading.turns.length) {
    items.push(heading(`Tool use · ${counted(reading.turns.length, "turn")}`), ...reading.turns.map((turn) => turnItem(turn)));
  }
  if (exact && reading.output !== null) {
    items.push({ kind: "answer", name: "Output", pieces: [{ text: reading.output }] });
    if (reading.reference !== null) items.push({ kind: "answer", name: "Reference", pieces: [{ text: reading.reference }] });
  } else items.push(...answered(reading));
  items.push(...reading.doubts.map((text): Item => ({ kind: "doubt", name: "Check", tint: "amber", pieces: [{ text }] })));
  return items;
}

function answered(reading: Reading): Item[] {
  const items = reading.steps.length ? [heading(`Reasoning · ${counted(reading.steps.length, "step")}`)] : [];
  reading.steps.forEach(({ type, text }, i) => {
    const named = type === DEFAULT_TYPE ? "" : type;
    items.push({ kind: "step", name: named, tint: TYPES[named.toLowerCase()] ?? "grey", step: i, pieces: [{ text }] });
  });
  if (reading.calls.length) items.push({ kind: "turn", name: "Tool calls of the answer", tint: "green", pieces: reading.calls.map(callPiece) });
  if (reading.answer === null && reading.reference !== null && !reading.steps.length) {
    items.push({ kind: "answer", name: "Reference", pieces: [{ text: reading.reference }] });
  } else if (reading.answer !== null || reading.reference !== null) {
    const pieces: Piece[] = reading.answer === null ? [] : [{ text: reading.answer }];
    if (reading.reference !== null) pieces.push({ caption: "Reference", text: reading.reference });
    items.push({ kind: "answer", name: reading.answer === null ? "No final answer" : "Final answer", tint: reading.verdict === "differs" ? "amber" : "green", note: reading.verdict ? { same: "same answer", differs: "differs" }[reading.verdict] : "", pieces });
  }
  return items;
}

function turnItem(turn: Turn, folded = false): Item {
  const role = ROLES[turn.role] ?? { name: turn.role, tint: "grey" };
  const pieces: Piece[] = turn.reasoning ? [{ caption: "Thinking", text: turn.reasoning }] : [];
  if (turn.text) pieces.push(json(turn.text) ? { text: turn.text, code: "json" } : { text: turn.text });
  pieces.push(...turn.calls.map(callPiece));
  const long = pieces.reduce((sum, piece) => sum + piece.text.length, 0) > LONG;
  return { kind: "turn", ...role, note: turn.note, pieces, folded: folded || long };
}

function callPiece(call: Called): Piece {
  return { caption: `calls ${call.name}${call.id ? ` · ${call.id}` : ""}`, text: call.arguments, code: "json" };
}

function json(text: string): boolean {
  return /^\s*[[{]/.test(text) && /[\]}]\s*$/.test(text);
}

function heading(name: string): Item {
  return { kind: "heading", name, pieces: [] };
}

/** `1 step`, `2,000 steps`. */
export function counted(count: number, one: string): string {
  return `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;
}

/** The exact text of an item. */
export function textOf(item: Item): string {
  return item.pieces.map((piece) => piece.text).join("\n\n");
}
