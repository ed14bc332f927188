/** What can be listed: the columns, and how a row of the route's answer is read. */

import { datasetRows, findings, versions } from "./datasets";
import { recent } from "./recent";

export interface Column {
  title: string;
  width: string; // of the grid
  number?: boolean;
  small?: boolean; // shown at any width
  less?: boolean; // the first to give way where there is little room
  help?: string;
}

export interface Row {
  key: string;
  query: Record<string, string | null>; // what the address holds for it; null takes a name out
  name: number; // the place of the cell that is the link
  code?: string; // an id, behind the name
  cells: Cell[];
}

export type Cell = string | Chip | (() => Node) | null;

export interface Chip {
  text: string;
  tint: string;
}

export interface Listing<Answer> {
  columns(answer: Answer): Column[];
  rows(answer: Answer): Row[];
  changes?(answer: Answer): boolean; // soon, without the page's doing: it is read again
}

interface Group {
  key: string;
  prompt: string;
  traces: number;
  right: number;
  wrong: number;
  answers: number;
  pass_rate: number | null;
  shortest_right: string | null;
}

interface Pair {
  id: string;
  row: number;
  sample: number;
  prompt: string;
  reference: string;
  first: string | null;
  second: string | null;
  verdict: string;
}

interface Pairs {
  pairs: Pair[];
  two: boolean;
  samples: boolean;
}

const LONGEST = 160; // characters of a prompt

const groups: Listing<{ groups: Group[] }> = {
  columns: () => [
    { title: "Prompt", width: "minmax(0,1fr)", small: true },
    { title: "Traces", width: "64px", number: true, small: true },
    { title: "Pass rate", width: "84px", number: true, small: true, help: "Share of right answers among those that can be told" },
    { title: "Right", width: "64px", number: true },
    { title: "Wrong", width: "64px", number: true },
    { title: "Answers", width: "72px", number: true, help: "Number of different final answers" },
    { title: "Shortest right", width: "112px", number: true },
  ],
  rows: (answer) => answer.groups.map((one) => ({
    key: one.key,
    query: { group: one.key, view: null },
    name: 0,
    cells: [
      one.prompt.slice(0, LONGEST).replace(/\s+/g, " "),
      one.traces.toLocaleString("en"),
      one.pass_rate === null ? null : `${Math.round(100 * one.pass_rate)}%`,
      one.right.toLocaleString("en"),
      one.wrong.toLocaleString("en"),
      one.answers.toLocaleString("en"),
      one.shortest_right?.slice(0, 8) ?? null,
    ],
  })),
};

const TINTS: Record<string, string> = { "Both right": "green", Fixed: "blue", Better: "blue", Broken: "amber", Worse: "amber" };

const pairs: Listing<Pairs> = {
  columns: ({ two, samples }) => [
    { title: "Row", width: "52px", number: true, less: true },
    ...(samples ? [{ title: "Sample", width: "64px", number: true, less: true }] : []),
    { title: "Prompt", width: "minmax(0,1fr)", small: true },
    { title: "Reference", width: "96px" },
    ...(two ? [{ title: "First", width: "96px" }] : []),
    { title: two ? "Second" : "Answer", width: "96px" },
    ...(two ? [{ title: "Verdict", width: "112px", small: true }] : []),
  ],
  rows: ({ pairs: all, two, samples }) => all.map((one) => ({
    key: `${one.row}.${one.sample}`,
    query: { row: one.id, sample: one.sample ? String(one.sample) : null },
    name: samples ? 2 : 1,
    cells: [
      (one.row + 1).toLocaleString("en"),
      ...(samples ? [String(one.sample + 1)] : []),
      one.prompt,
      one.reference,
      ...(two ? [one.first] : []),
      one.second,
      ...(two ? [{ text: one.verdict, tint: TINTS[one.verdict] ?? "grey" }] : []),
    ],
  })),
};

export const LISTINGS: Record<string, Listing<never>> = { datasetRows, findings, groups, pairs, recent, versions };
