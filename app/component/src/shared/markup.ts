/** Text of models and traces as a tree: Markdown, formulas and code, or exactly as it is. Never a link, image or HTML. */

import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import cpp from "highlight.js/lib/languages/cpp";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import sql from "highlight.js/lib/languages/sql";
import yaml from "highlight.js/lib/languages/yaml";
import MarkdownIt from "markdown-it";
import type { Env, MarkdownIt as Parser, Token } from "markdown-it";
import { layOutFormulas, withFormulas } from "./formulas";
import { marked, markTree } from "./marks";

export { default as MARKUP_CSS } from "./markup.css";

for (const [name, language] of Object.entries({ bash, cpp, javascript, json, python, sql, yaml })) {
  hljs.registerLanguage(name, language);
}

const MOST_CODE = 50_000; // characters of code that is highlighted
const PART = 8_000; // characters of text that is drawn at once
const FORBIDDEN = ["link", "image", "autolink", "linkify", "reference", "html_block", "html_inline"];
const TAGS = new Set(
  "P H1 H2 H3 H4 H5 H6 UL OL LI BLOCKQUOTE PRE CODE EM STRONG S TABLE THEAD TBODY TR TH TD HR BR SPAN DIV".split(" "),
);
const ATTRIBUTES = new Set(["class", "dir", "start", "data-tex"]);
const BLOCKS = "p,h1,h2,h3,h4,h5,h6,ul,ol,li,blockquote,table,th,td";
const RIGHT_TO_LEFT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u;

/** A stretch of a text that is drawn at once: the characters from `from` to `to`. */
export interface Part {
  from: number;
  to: number;
  draw(): Node;
}

const markdown = newParser();

function newParser(): Parser {
  const parser = new MarkdownIt("default", { html: false, linkify: false, breaks: true, highlight: highlighted });
  parser.disable(FORBIDDEN, true);
  withFormulas(parser);
  parser.renderer.rules.table_open = () => '<div class="wide"><table>';
  parser.renderer.rules.table_close = () => "</table></div>";
  return parser;
}

function highlighted(code: string, language: string): string {
  if (code.length > MOST_CODE || !hljs.getLanguage(language)) return "";
  return hljs.highlight(code, { language, ignoreIllegals: true }).value;
}

/** The parts of a text as Markdown, each of whole blocks; a very long paragraph is several. */
export function renderedParts(text: string): Part[] {
  const env: Env = {};
  const tokens = markdown.parse(text, env);
  const lines = lineStarts(text);
  const parts: Part[] = [];
  let begin = 0;
  let from = 0;
  const add = (own: Token[], to: number): void => {
    if (own.length) parts.push({ from, to, draw: () => drawn(own, env) });
    from = to;
  };
  tokens.forEach((token, i) => {
    if (token.level !== 0 || token.nesting === 1) return;
    const [first, end] = opens(tokens, i).map ?? [0, 0];
    const to = i === tokens.length - 1 ? text.length : (lines[end] ?? text.length);
    if (token.type === "paragraph_close" && tokens[i - 1]!.content.length > 2 * PART) {
      add(tokens.slice(begin, i - 2), lines[first] ?? from);
      for (const { own, length } of paragraphs(tokens.slice(i - 2, i + 1))) add(own, Math.min(to, from + length));
    } else if (to - from >= PART || i === tokens.length - 1) {
      add(tokens.slice(begin, i + 1), to);
    } else return;
    from = to;
    begin = i + 1;
  });
  return parts;
}

/** A very long paragraph as several, and how long each is: the browser lays out a paragraph as a whole. */
function paragraphs([open, inline, close]: Token[]): { own: Token[]; length: number }[] {
  const found: { children: Token[]; length: number }[] = [{ children: [], length: 0 }];
  let depth = 0;
  for (const child of inline!.children ?? []) {
    depth += child.nesting;
    for (const token of slices(child)) {
      const last = found.at(-1)!;
      last.children.push(token);
      last.length += token.content.length || 1;
      if (depth === 0 && last.length >= PART) found.push({ children: [], length: 0 });
    }
  }
  const whole = found.filter(({ children }) => children.length);
  return whole.map(({ children, length }) => ({ own: [open!, changed(inline!, { children }), close!], length }));
}

/** A token, or several of a text that is very long, each of whole words where it has some. */
function slices(token: Token): Token[] {
  const { content } = token;
  if (token.type !== "text" || content.length <= PART) return [token];
  const found: Token[] = [];
  for (let from = 0; from < content.length; ) {
    const space = content.indexOf(" ", from + PART);
    const to = space < 0 || space - from > 2 * PART ? Math.min(content.length, from + 2 * PART) : space + 1;
    found.push(changed(token, { content: content.slice(from, to) }));
    from = to;
  }
  return found;
}

function changed(token: Token, values: Partial<Token>): Token {
  return Object.assign(Object.create(Object.getPrototypeOf(token) as object) as Token, token, values);
}

/** The token that a closing one belongs to. */
function opens(tokens: Token[], at: number): Token {
  let i = at;
  if (tokens[at]!.nesting === -1) while (i > 0 && (tokens[i]!.level !== 0 || tokens[i]!.nesting !== 1)) i--;
  return tokens[i]!;
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function drawn(tokens: Token[], env: Env): Node {
  const template = document.createElement("template");
  template.innerHTML = markdown.renderer.render(tokens, markdown.options, env);
  const root = template.content;
  keepKnown(root);
  for (const element of root.querySelectorAll<HTMLElement>(BLOCKS)) element.dir = directionOf(element.textContent ?? "");
  markTree(root);
  const box = document.createElement("div");
  box.className = "md";
  box.append(root);
  void layOutFormulas(box);
  return box;
}

/** As `dir=auto`, which Chromium computes again for each of 100,000 lines, and which sees nothing in nested blocks. */
function directionOf(text: string): "ltr" | "rtl" {
  return RIGHT_TO_LEFT.test(/\p{L}/u.exec(text)?.[0] ?? "") ? "rtl" : "ltr";
}

/** A second fence behind the parser's settings: what is no plain element becomes its text. */
function keepKnown(root: DocumentFragment): void {
  for (const element of root.querySelectorAll<HTMLElement>("*")) {
    if (!TAGS.has(element.tagName)) {
      element.replaceWith(element.outerHTML);
      continue;
    }
    const align = element.style.textAlign;
    for (const { name } of [...element.attributes]) if (!ATTRIBUTES.has(name)) element.removeAttribute(name);
    if (align) element.style.textAlign = align;
  }
}

/** The parts of a text exactly as it is, each of whole lines where these are not very long. */
export function rawParts(text: string): Part[] {
  const parts: Part[] = [];
  for (let from = 0; from < text.length; ) {
    let to = Math.min(text.length, from + PART);
    if (to < text.length) {
      const line = text.indexOf("\n", to);
      to = line < 0 ? text.length : line + 1;
      if (to - from > 4 * PART) to = from + 4 * PART;
      if (/[\uD800-\uDBFF]/.test(text[to - 1] ?? "")) to++; // both halves of a character
    }
    const [start, end] = [from, to];
    parts.push({ from, to, draw: () => exactly(text.slice(start, end)) });
    from = to;
  }
  return parts;
}

function exactly(text: string): HTMLElement {
  const box = document.createElement("div");
  box.className = "raw";
  box.append(marked(text, true));
  return box;
}

/** Code with its colours; `language` as in a fence. */
export function drawCode(code: string, language: string): HTMLElement {
  const box = document.createElement("pre");
  const inner = document.createElement("code");
  const colored = highlighted(code, language);
  if (colored) inner.innerHTML = colored;
  else inner.textContent = code;
  markTree(inner);
  box.append(inner);
  return box;
}

/** A whole text as Markdown, at once: for texts of a few thousand characters. */
export function drawMarkdown(text: string): DocumentFragment {
  const out = document.createDocumentFragment();
  for (const part of renderedParts(text)) out.append(part.draw());
  return out;
}
