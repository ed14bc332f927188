/** Characters that nobody sees, such as a bidi override: shown as marks, and kept from changing the text around them. */

const INVISIBLE =
  /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u00AD\u061C\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u206F\uFEFF\uFFF9-\uFFFB]|[\u{E0000}-\u{E007F}]/gu;
// parts of emoji and of Persian words, which are marked only where a text is shown exactly
const JOINERS = new Set(["\u200C", "\u200D"]);
const NAMES: Record<number, string> = {
  0x00: "NUL", 0x08: "BS", 0x1b: "ESC", 0x7f: "DEL", 0xad: "SHY", 0x61c: "ALM", 0x200b: "ZWSP", 0x200c: "ZWNJ",
  0x200d: "ZWJ", 0x200e: "LRM", 0x200f: "RLM", 0x202a: "LRE", 0x202b: "RLE", 0x202c: "PDF", 0x202d: "LRO",
  0x202e: "RLO", 0x2060: "WJ", 0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI", 0xfeff: "BOM",
};

export const MARKS_CSS = `
.mark{unicode-bidi:isolate;direction:ltr;display:inline-block;font-size:0;
padding:0 .3em;margin:0 1px;border-radius:3px;background:light-dark(#F8E3C6,#57390F);color:light-dark(#6B3A00,#F9D9A8);
vertical-align:baseline;white-space:nowrap}
.mark::before{content:attr(data-mark);font:600 13px/1.3 var(--st-code-font,monospace)}`;

/** The mark of one character. It holds the character itself, isolated: what is copied is the exact text. */
function markOf(character: string): HTMLElement {
  const code = character.codePointAt(0) ?? 0;
  const hex = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  const mark = document.createElement("span");
  mark.className = "mark";
  mark.dataset.mark = NAMES[code] ?? hex;
  mark.title = `Invisible character ${hex}`;
  mark.textContent = character;
  return mark;
}

/** Text with a mark for each invisible character. `exact`: also for those that emoji and Persian need. */
export function marked(text: string, exact = false): DocumentFragment {
  const out = document.createDocumentFragment();
  let from = 0;
  for (const found of text.matchAll(INVISIBLE)) {
    if (!exact && JOINERS.has(found[0])) continue;
    out.append(text.slice(from, found.index), markOf(found[0]));
    from = found.index + found[0].length;
  }
  out.append(text.slice(from));
  return out;
}

export function hasInvisible(text: string): boolean {
  return text.search(INVISIBLE) >= 0;
}

/** Mark the invisible characters in the text of a tree. */
export function markTree(root: Node): void {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const texts: Text[] = [];
  while (walker.nextNode()) texts.push(walker.currentNode as Text);
  for (const text of texts) {
    if (hasInvisible(text.data)) text.replaceWith(marked(text.data));
  }
}
