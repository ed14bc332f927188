/** Formulas in Markdown, as `$a$`, `$$a$$`, `\(a\)`, `\[a\]` and `\begin{align}`: kept as typed until KaTeX is loaded. */

import type { MarkdownIt } from "markdown-it";
import { hasInvisible } from "./marks";

const LONGEST = 5_000; // characters of a formula that is laid out; a longer one stays as typed
const MOST_LINES = 80; // of a formula
const ENVIRONMENTS = /^\\begin\{((?:equation|align|alignat|gather|multline|CD)\*?)\}/;
const PAIRS = [
  { open: "$$", close: "$$", display: true },
  { open: "\\[", close: "\\]", display: true },
  { open: "\\(", close: "\\)", display: false },
  { open: "$", close: "$", display: false },
];
const CLOSING: Record<string, string> = { $$: "$$", "\\[": "\\]" }; // of a block, by its first two signs
const OPTIONS = {
  output: "mathml", throwOnError: true, trust: false, strict: "ignore", maxExpand: 200, maxSize: 20,
} as const;

interface Formula {
  tex: string;
  display: boolean;
  end: number; // behind the closing sign
}

/** The formula that begins at a place of a text, if one does. */
function formulaAt(text: string, at: number): Formula | null {
  const pair = PAIRS.find((one) => text.startsWith(one.open, at));
  if (!pair) return null;
  const from = at + pair.open.length;
  let end = nextOf(text, pair.close, from);
  while (end >= 0 && end - from <= LONGEST && pair.close.startsWith("$") && escaped(text, end, from)) {
    end = nextOf(text, pair.close, end + 1);
  }
  if (end < 0 || end - from > LONGEST) return null;
  const tex = text.slice(from, end);
  if (!tex.trim() || /\n\s*\n/.test(tex)) return null;
  // prices are no formulas: "$5 and $6"
  if (pair.open === "$" && (/^\s|\s$/.test(tex) || /\d/.test(text[end + 1] ?? ""))) return null;
  return { tex, display: pair.display, end: end + pair.close.length };
}

// The last places found in one text, by sign: a text of opening signs alone is not searched again for each.
let searched = "";
const places = new Map<string, { from: number; at: number }>();

/** `text.indexOf(sign, from)`. */
function nextOf(text: string, sign: string, from: number): number {
  if (text !== searched) {
    searched = text;
    places.clear();
  }
  const known = places.get(sign);
  if (known && known.from <= from && (known.at < 0 || known.at >= from)) return known.at;
  const at = text.indexOf(sign, from);
  places.set(sign, { from, at });
  return at;
}

function escaped(text: string, at: number, from: number): boolean {
  let signs = 0;
  while (at - 1 - signs >= from && text[at - 1 - signs] === "\\") signs++;
  return signs % 2 === 1;
}

/** Teach a Markdown parser formulas. Its output has a `span.tex` for each, with what was typed as its text. */
export function withFormulas(markdown: MarkdownIt): void {
  markdown.inline.ruler.before("escape", "formula", (state, silent) => {
    const found = formulaAt(state.src, state.pos);
    if (!found || found.end > state.posMax) return false;
    if (!silent) {
      const token = state.push("formula", "", 0);
      token.content = state.src.slice(state.pos, found.end);
      token.meta = { ...found };
    }
    state.pos = found.end;
    return true;
  });
  markdown.block.ruler.before(
    "fence",
    "formula_block",
    (state, start, end, silent) => {
      const lineOf = (line: number): string =>
        state.src.slice(state.bMarks[line]! + state.tShift[line]!, state.eMarks[line]).trimEnd();
      const first = lineOf(start);
      const environment = ENVIRONMENTS.exec(first);
      const close = environment ? `\\end{${environment[1]}}` : CLOSING[first.slice(0, 2)];
      if (!close || state.sCount[start]! - state.blkIndent >= 4) return false;
      const from = state.bMarks[start]! + state.tShift[start]! + close.length;
      const ends = nextOf(state.src, close, from);
      if (ends < 0 || ends - from > LONGEST) return false;
      for (let line = start; line < Math.min(end, start + MOST_LINES); line++) {
        const text = lineOf(line);
        if (line > start && !text) return false;
        if (!text.endsWith(close) || (line === start && text.length <= close.length)) continue;
        const typed = state.getLines(start, line + 1, state.blkIndent, false).trim();
        const tex = environment ? typed : typed.slice(2, -2);
        if (!tex.trim() || tex.length > LONGEST || (!environment && tex.includes(close))) return false;
        if (silent) return true;
        const token = state.push("formula", "", 0);
        token.block = true;
        token.content = typed;
        token.meta = { tex, display: true };
        token.map = [start, line + 1];
        state.line = line + 1;
        return true;
      }
      return false;
    },
    { alt: ["paragraph", "reference", "blockquote", "list"] },
  );
  markdown.renderer.rules.formula = (tokens, index) => {
    const token = tokens[index]!;
    const { tex, display } = token.meta as unknown as Formula;
    const escape = markdown.utils.escapeHtml;
    const span = `<span class="tex${display ? " display" : ""}" data-tex="${escape(tex)}">${escape(token.content)}</span>`;
    return token.block ? `<p>${span}</p>` : span;
  };
}

let katex: Promise<typeof import("katex")> | undefined;

/** Lay out the formulas of a tree as MathML. What KaTeX cannot read stays as typed, with its reason as a title. */
export async function layOutFormulas(root: ParentNode): Promise<void> {
  const spans = root.querySelectorAll<HTMLElement>(".tex[data-tex]");
  if (!spans.length) return;
  katex ??= import("katex");
  const { default: library } = await katex;
  for (const span of spans) {
    const { tex = "" } = span.dataset;
    delete span.dataset.tex;
    if (hasInvisible(tex)) continue; // it stays as typed, with its marks
    try {
      const display = span.classList.contains("display");
      span.innerHTML = library.renderToString(tex, { ...OPTIONS, displayMode: display });
    } catch (error) {
      span.classList.add("typed");
      span.title = error instanceof Error ? error.message : String(error);
    }
  }
}
