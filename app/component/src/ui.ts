// The entry of the component: one module per kind, loaded when the kind is first shown.
import type { Call, Kind, Mounted } from "./shared/kind";

const KINDS: Record<string, () => Promise<Kind<never>>> = {
  charts: () => import("./charts"),
  listing: () => import("./listing"),
  palette: () => import("./palette"),
  reader: () => import("./reader"),
  runs: () => import("./runs"),
  stream: () => import("./stream"),
  tracelist: () => import("./tracelist"),
};

interface Live {
  newest: Call;
  mounted?: Mounted;
  ended: boolean;
}

const live = new WeakMap<Node, Live>();

/** Streamlit calls this for each change of data or theme, with the same root; what it returns is called at the end. */
export default function ui(call: Call): () => void {
  const root = call.parentElement;
  const one = live.get(root) ?? begin(root, call);
  one.newest = call;
  one.mounted?.update(call);
  return () => {
    one.ended = true;
    live.delete(root);
    one.mounted?.destroy?.();
  };
}

function begin(root: Call["parentElement"], call: Call): Live {
  const one: Live = { newest: call, ended: false };
  live.set(root, one);
  mount(root, one).catch((error: unknown) => {
    root.append("This part of the page did not load. Reload the page.");
    throw error;
  });
  return one;
}

async function mount(root: Call["parentElement"], one: Live): Promise<void> {
  const module = KINDS[one.newest.data.kind];
  if (!module) throw new Error(`The component has no kind "${one.newest.data.kind}".`);
  const kind = (await module()) as unknown as Kind;
  if (one.ended) return;
  one.mounted = kind.mount(root, one.newest);
  one.mounted.update(one.newest);
}
