/** The judging bar: scores of a trace and of its steps, by mouse and by keyboard, without leaving the place. */

import { el } from "../shared/dom";
import { answerOf, send } from "../shared/load";
import { isForPage } from "../shared/typing";
import { GRADES, JUDGED, wordFor } from "./events";
import type { Score } from "./reading";

/** How the scores are given: the address of the trace's scores, the name of the score, and who gives it. */
export interface Judge {
  url: string;
  name: string;
  scorer: string;
}

export interface Target {
  steps: number;
  scores: Score[];
  aim(step: number | null): void; // mark and show the step that is judged
  judged(step: number | null): void; // its scores changed
}

/** The word for a score of this bar: `Good`. Null for any other. */
export function gradeOf(score: Score, judge: Judge | null): string | null {
  if (!judge || !score.human || score.name !== judge.name) return null;
  return wordFor(score.value);
}

export class JudgingBar {
  readonly element = el("div", { className: "judging", role: "group", "aria-label": "Judge" });
  private at: number | null = null;
  private busy = false;
  private readonly where = el("span", { className: "where", "aria-live": "polite" });
  private readonly buttons: HTMLButtonElement[];
  private readonly remove = el("button", { type: "button", className: "plain", onclick: () => void this.give(null) }, "Remove score");
  private readonly said = el("span", { className: "said", role: "status" });

  constructor(
    private readonly judge: Judge,
    private readonly target: Target,
  ) {
    this.buttons = GRADES.map(({ label, value, key }) =>
      el("button", { type: "button", className: `grade ${label.toLowerCase()}`, "aria-pressed": "false", "aria-keyshortcuts": key, onclick: () => void this.give(value) },
        label, el("kbd", { "aria-hidden": "true" }, key.toUpperCase())),
    );
    const move = (label: string, sign: string, key: string, by: number): HTMLElement =>
      el("button", { type: "button", className: "small", "aria-label": label, title: `${label} (${key.toUpperCase()})`, "aria-keyshortcuts": key, onclick: () => this.move(by) }, sign);
    this.element.append(
      move("Judge the previous step", "↑", "p", -1), move("Judge the next step", "↓", "n", 1), this.where,
      el("span", { className: "grades" }, ...this.buttons), this.remove, this.said,
    );
    document.addEventListener("keydown", this.onKey);
    this.tell();
  }

  private readonly onKey = (event: KeyboardEvent): void => {
    if (!isForPage(event)) return;
    const grade = GRADES.find(({ key }) => key === event.key.toLowerCase());
    if (grade) void this.give(grade.value);
    else if (event.key === "n") this.move(1);
    else if (event.key === "p") this.move(-1);
    else return;
    event.preventDefault();
  };

  /** Judge the next step, or the whole trace behind the last one. */
  private move(by: number): void {
    const places = this.target.steps + 1;
    const place = ((this.at ?? -1) + 1 + by + places) % places;
    this.at = place === 0 ? null : place - 1;
    this.target.aim(this.at);
    this.tell();
  }

  private mine(): Score | undefined {
    const { name, scorer } = this.judge;
    return this.target.scores.find((one) => one.human && one.name === name && one.by === scorer && one.step === this.at);
  }

  /** Store a score, or remove it, and go on to the next step. */
  private async give(value: number | null): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    const { url, name, scorer } = this.judge;
    const step = this.at;
    try {
      if (value !== null) {
        await send("POST", url, { scores: [{ name, value, step, scorer, kind: "human" }] });
      } else {
        const query = new URLSearchParams({ name, scorer, ...(step === null ? {} : { step: String(step) }) });
        await answerOf(`${url}?${query}`, { method: "DELETE" });
      }
      const mine = this.mine();
      if (mine) this.target.scores.splice(this.target.scores.indexOf(mine), 1);
      if (value !== null) this.target.scores.push({ name, value, by: scorer, human: true, step });
      this.target.judged(step);
      this.said.textContent = "";
      if (step === null) document.dispatchEvent(new CustomEvent(JUDGED, { detail: { url, value } }));
      if (value !== null && this.target.steps) this.move(1);
      else this.tell();
    } catch (error) {
      this.said.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      this.busy = false;
    }
  }

  private tell(): void {
    const mine = this.mine();
    this.where.textContent = this.at === null ? "Whole trace" : `Step ${(this.at + 1).toLocaleString("en")}`;
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(mine?.value === GRADES[i]?.value)));
    this.remove.hidden = !mine;
  }

  destroy(): void {
    document.removeEventListener("keydown", this.onKey);
  }
}
