// Bundles src/ into assets/: ui.js, and one chunk per part that is loaded when it is needed.
//
//   node build.mjs [--out FOLDER]
import { build } from "esbuild";
import { rmSync } from "node:fs";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { out: { type: "string", default: "assets" } } });

rmSync(values.out, { recursive: true, force: true });
await build({
  entryPoints: ["src/ui.ts"],
  outdir: values.out,
  bundle: true,
  splitting: true,
  format: "esm",
  minify: true,
  target: "es2022",
  charset: "utf8",
  // browsers may keep a chunk for good, as its name changes with its content
  chunkNames: "c-[hash]",
  loader: { ".css": "text" },
  legalComments: "eof",
});
