// What Streamlit passes to a component, and what a kind of it provides.

/** One call of the component: at its mount, and for each change of its data or of the theme. */
export interface Call<Data = Record<string, unknown>> {
  /** Address, version and small settings from Python; `kind` selects the module. */
  data: Data & { kind: string };
  parentElement: ShadowRoot | HTMLElement;
  /** Set a value that stays in the session, which reruns the page. */
  setStateValue(name: string, value: unknown): void;
  /** Send a value that lasts one rerun. */
  setTriggerValue(name: string, value: unknown): void;
}

export interface Mounted<Data = Record<string, unknown>> {
  /** Take the newest call: values that are set through an older one belong to an older state. */
  update(call: Call<Data>): void;
  destroy?(): void;
}

export interface Kind<Data = Record<string, unknown>> {
  mount(root: ShadowRoot | HTMLElement, call: Call<Data>): Mounted<Data>;
}
