// Bundles src/ into assets/: ui.js, and one chunk per part that is loaded when it is needed.
//
//   node build.mjs [--out FOLDER]
import { build } from "esbuild";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { out: { type: "string", default: "assets" } } });

rmSync(values.out, { recursive: true, force: true });
const { metafile } = await build({
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
  metafile: true,
});

// The licence of every package of which a part is in the bundle, as their terms ask.
const packages = new Set(Object.keys(metafile.inputs).flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []));
const licences = [...packages].sort().map((name) => {
  const folder = `node_modules/${name}`;
  const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  if (!file) throw new Error(`${name} has no file with its licence`);
  return `${name} ${version} (${license})\n\n${readFileSync(`${folder}/${file}`, "utf8").trim()}\n`;
});
writeFileSync(`${values.out}/LICENSES.txt`, licences.join(`\n${"-".repeat(80)}\n\n`));
