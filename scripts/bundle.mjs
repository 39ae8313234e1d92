// Puts the modules of the program and of its training processes into a few files: node scripts/bundle.mjs FOLDER (which holds `src`,
// as the compiler wrote it).
//
// A server loads some nine hundred modules, a third of them the query builder's; opened one by one they cost a start more than the
// database does. CommonJS, because Node reads the source of every CommonJS package that an ES module imports a second time, to guess
// its names. `src/cli/main.js` runs the bundle where it exists and the modules otherwise; `import.meta.url` keeps the meaning it has
// in the module it stands in.
import { copyFileSync, realpathSync } from "node:fs";
import { join, relative } from "node:path";
import { build } from "vite";
import { ROOT } from "./dependencies.mjs";

/** ES modules that are written into the bundle; everything else of node_modules is loaded from there. */
const INLINED = ["kysely"];

const sources = join(realpathSync(process.argv[2]), "src");
const output = join(sources, "bundle");
const OWN_PLACE =
  'const ownPlace = (place) => require("node:url").pathToFileURL(require("node:path").join(__dirname, place)).href;';

const ownPlaces = {
  name: "own-places",
  enforce: "pre",
  transform(code, id) {
    if (!id.startsWith(sources) || !code.includes("import.meta.url")) return null;
    const place = relative(output, id).replaceAll("\\", "/");
    return { code: code.replaceAll("import.meta.url", `ownPlace(${JSON.stringify(place)})`), map: null };
  },
};

await build({
  configFile: false,
  root: ROOT,
  logLevel: "warn",
  envDir: false,
  publicDir: false,
  plugins: [ownPlaces],
  ssr: { noExternal: INLINED, target: "node" },
  build: {
    ssr: true,
    target: "node20",
    minify: false,
    outDir: output,
    emptyOutDir: true,
    rolldownOptions: {
      input: { program: join(sources, "cli", "program.js"), job: join(sources, "job", "main.js") },
      output: { format: "cjs", intro: OWN_PLACE, entryFileNames: "[name].cjs", chunkFileNames: "[name]-[hash].cjs" },
    },
  },
});
for (const name of INLINED) copyFileSync(join(ROOT, "node_modules", name, "LICENSE"), join(output, `${name}.LICENSE`));
