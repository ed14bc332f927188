// A notification of the browser when a run ends or alerts, while its page is open in some tab.

import { el } from "../shared/dom";

export class Notice {
  readonly element: HTMLButtonElement;
  private alerts: number | null = null; // as known so far; null before the first look
  private on = false;

  constructor(private readonly name: string, private readonly wanted: () => void) {
    this.element = el("button", { type: "button", className: "toggle notify", "aria-pressed": "false",
      title: "By this browser, while this page is open in a tab. The webhook of the server tells other places.",
      // it must be asked for within the click: a browser refuses it later
      onclick: () => void this.ask() }, "Notify me");
    this.element.hidden = !("Notification" in window) || !isSecureContext;
  }

  /** Whether the page must be followed while its tab is hidden. */
  get follows(): boolean {
    return this.on;
  }

  look(over: boolean, state: string, alerts: { words: string }[]): void {
    const before = this.alerts;
    this.alerts = alerts.length;
    if (over) this.element.hidden = true;
    if (before === null || !this.on) return;
    for (const alert of alerts.slice(before)) this.say(`${this.name}: alert`, alert.words);
    if (over) {
      this.on = false;
      this.say(this.name, state);
    }
  }

  private async ask(): Promise<void> {
    if (this.on) {
      this.set(false);
      return;
    }
    const answer = await Notification.requestPermission();
    this.set(answer === "granted");
    if (answer === "denied") this.element.textContent = "Notifications are blocked in this browser";
    this.wanted();
  }

  private set(on: boolean): void {
    this.on = on;
    this.element.setAttribute("aria-pressed", String(on));
    this.element.textContent = on ? "Will notify" : "Notify me";
  }

  private say(title: string, body: string): void {
    new Notification(title, { body, tag: `${title} ${body}` });
  }
}
