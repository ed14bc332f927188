/** The items of a reading, drawn in blocks when they are needed: thousands of steps cost as much as the few in view. */

import { drawCode, rawParts, renderedParts } from "../shared/markup";
import type { Part } from "../shared/markup";
import { el } from "../shared/dom";
import { itemElement } from "./item";
import { Lazy } from "./lazy";
import type { Item, Piece } from "./reading";

const MOST_ITEMS = 60; // of a block
const MOST_TEXT = 16_000; // characters of a block
const LINE = 21; // pixels
const PER_LINE = 84; // characters, about
const HEAD = 34; // pixels of an item without its text
const HEADING = 40;

/** A part of a text, and the box that it is drawn in. */
export interface Drawn {
  part: Part;
  box: HTMLElement;
}

export interface Look {
  exact: boolean; // Raw in place of Rendered
  extras(item: Item): Node[]; // behind the name of an item, such as its scores
  onToggle(at: number): void;
}

export class ItemList {
  readonly element = el("div", { className: "items" });
  items: Item[] = [];
  private readonly lazy: Lazy;
  private blocks: { from: number; to: number; box: HTMLElement }[] = [];
  private texts = new Map<Item, Drawn[][]>();
  private folded: boolean[] = [];

  constructor(
    scroller: HTMLElement,
    private readonly look: Look,
  ) {
    this.lazy = new Lazy(scroller);
  }

  /** Show these items in place of the earlier ones. `keepFolds`: they are the same ones, drawn differently. */
  show(items: Item[], keepFolds = false): void {
    if (!keepFolds || items.length !== this.items.length) this.folded = items.map((item) => item.folded ?? false);
    this.items = items;
    this.build();
  }

  private build(): void {
    this.lazy.clear();
    this.texts.clear();
    this.blocks = [];
    for (let from = 0; from < this.items.length; ) {
      let [to, text, height] = [from, 0, 0];
      while (to < this.items.length && to - from < MOST_ITEMS && (to === from || text < MOST_TEXT)) {
        text += this.folded[to] ? 0 : lengthOf(this.items[to]!);
        height += this.heightOf(to++);
      }
      const [first, end] = [from, to];
      const box = this.lazy.box(height, (own) => own.replaceChildren(...this.drawItems(first, end)));
      this.blocks.push({ from, to, box });
      from = to;
    }
    this.element.replaceChildren(...this.blocks.map((block) => block.box));
  }

  private heightOf(at: number): number {
    const item = this.items[at]!;
    if (item.kind === "heading") return HEADING;
    return this.folded[at] ? HEAD : HEAD + LINE * Math.ceil(lengthOf(item) / PER_LINE);
  }

  private drawItems(from: number, to: number): HTMLElement[] {
    return this.items.slice(from, to).map((_, i) => this.drawItem(from + i));
  }

  private drawItem(at: number): HTMLElement {
    const item = this.items[at]!;
    const folded = this.isFolded(at);
    if (folded) this.texts.delete(item);
    const bodies = folded ? [] : item.pieces.map((piece, i) => this.drawPiece(item, piece, i));
    return itemElement(item, bodies, { folded, extras: this.look.extras(item), onToggle: () => this.look.onToggle(at) });
  }

  private drawPiece(item: Item, piece: Piece, at: number): HTMLElement {
    const body = el("div", { className: "body" });
    const drawn: Drawn[] = [];
    this.drawnOf(item)[at] = drawn;
    for (const part of this.partsOf(piece)) {
      const box = this.lazy.box((LINE * (part.to - part.from)) / PER_LINE, (own) => own.replaceChildren(part.draw()));
      drawn.push({ part, box });
      body.append(box);
    }
    if (drawn.length === 1) this.lazy.fill(drawn[0]!.box);
    return body;
  }

  private partsOf({ text, code }: Piece): Part[] {
    if (this.look.exact) return rawParts(text);
    if (code === undefined) return renderedParts(text);
    return [{ from: 0, to: text.length, draw: () => drawCode(text, code) }];
  }

  private drawnOf(item: Item): Drawn[][] {
    const known = this.texts.get(item) ?? [];
    this.texts.set(item, known);
    return known;
  }

  /** The parts of one text of an item, of which the one with the character `at` is drawn; unfolds the item. */
  partsAt(item: number, piece: number, at: number): { parts: Drawn[]; part: Drawn | undefined } {
    if (this.folded[item]) this.fold(item, false);
    this.elementOf(item);
    const parts = this.texts.get(this.items[item]!)?.[piece] ?? [];
    const part = parts.find((one) => at < one.part.to) ?? parts.at(-1);
    if (part) this.lazy.fill(part.box);
    return { parts, part };
  }

  /** The element of an item, drawn if it was not. */
  elementOf(at: number): HTMLElement {
    const block = this.blocks.find((one) => at < one.to) ?? this.blocks.at(-1)!;
    this.lazy.fill(block.box);
    return block.box.children[at - block.from] as HTMLElement;
  }

  /** Draw an item again, if it is drawn: its scores changed. */
  refresh(at: number): void {
    const block = this.blocks.find((one) => at < one.to);
    block?.box.children[at - block.from]?.replaceWith(this.drawItem(at));
  }

  isFolded(at: number): boolean {
    return this.folded[at] ?? false;
  }

  fold(at: number, folded: boolean): void {
    this.folded[at] = folded;
    this.refresh(at);
  }

  foldAll(folded: boolean): void {
    this.folded = this.items.map((item) => folded && item.pieces.length > 0 && item.kind !== "answer" && item.kind !== "doubt");
    this.build();
  }

  destroy(): void {
    this.lazy.clear();
  }
}

function lengthOf(item: Item): number {
  return item.pieces.reduce((sum, piece) => sum + piece.text.length, 0);
}
