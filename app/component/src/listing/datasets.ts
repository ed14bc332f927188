/** Versions of datasets, their rows, and the rows behind a gate: small lists, which the page passes along. */

import type { Listing } from "./kinds";

interface Version {
  name: string;
  version: number;
  train: number;
  eval: number;
  frozen: string;
}

interface TraceRow {
  id: string; // its whole hash
  steps: number;
  answer: string | null;
  prompt: string;
}

interface Finding {
  id: string;
  why: string;
  prompt: string;
}

const SHORT = 8; // characters of a hash
const count = (value: number): string => value.toLocaleString("en");

export const versions: Listing<{ versions: Version[] }> = {
  columns: () => [
    { title: "Dataset", width: "minmax(0,1fr)", small: true },
    { title: "Train", width: "64px", number: true, small: true, help: "Train rows" },
    { title: "Eval", width: "56px", number: true, help: "Eval rows" },
    { title: "Frozen", width: "112px", number: true },
  ],
  rows: (answer) => answer.versions.map((one) => ({
    key: `${one.name}:${one.version}`,
    // a choice for one version, such as a gate, does not apply to another
    query: { dataset: `${one.name}:${one.version}`, gate: null, finding: null, from: null },
    name: 0,
    code: `v${one.version}`,
    cells: [one.name, count(one.train), count(one.eval), one.frozen],
  })),
};

export const datasetRows: Listing<{ rows: TraceRow[] }> = {
  columns: () => [
    { title: "Prompt", width: "minmax(0,1fr)", small: true },
    { title: "Answer", width: "110px", small: true },
    { title: "Steps", width: "56px", number: true },
    { title: "Trace", width: "84px" },
  ],
  rows: (answer) => answer.rows.map((one) => ({
    key: one.id, query: {}, name: 0, cells: [one.prompt, one.answer, count(one.steps), one.id.slice(0, SHORT)],
  })),
};

export const findings: Listing<{ findings: Finding[] }> = {
  columns: () => [
    { title: "Why", width: "minmax(0,1fr)", small: true },
    { title: "Prompt", width: "minmax(0,1fr)" },
    { title: "Trace", width: "84px" },
  ],
  rows: (answer) => answer.findings.map((one) => ({
    key: one.id, query: { finding: one.id }, name: 0, cells: [one.why, one.prompt, one.id.slice(0, SHORT)],
  })),
};
