// Packs a fresh cluster of the embedded database: node scripts/build-template.mjs [folder, default dist/template].
//
// A new data directory is unpacked from it in a third of a second; making a cluster takes seconds and a gigabyte of memory.
// There are two: the plain one holds no tables of ours and depends on the version of PGlite alone, so that one made before is
// copied; in `ready/` the migrations of the built server and of its engine have run, which saves a first start a second.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { PGlite } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";
import { ROOT } from "./dependencies.mjs";

const PACK = "cluster.tar.gz";
const VERSION = "version.txt";
const SERVER = join(ROOT, "dist", "src");

const version = JSON.parse(
  readFileSync(join(ROOT, "node_modules", "@electric-sql", "pglite", "package.json"), "utf8"),
).version;
const previous = join(ROOT, "dist", "template");
const output = resolve(process.argv[2] ?? previous);

mkdirSync(output, { recursive: true });
if (!isCurrent(output)) {
  if (isCurrent(previous)) for (const file of [PACK, VERSION]) cpSync(join(previous, file), join(output, file));
  else await build();
}
if (existsSync(join(SERVER, "storage", "pool.js"))) await buildReady();

function isCurrent(folder) {
  const file = join(folder, VERSION);
  return existsSync(file) && existsSync(join(folder, PACK)) && readFileSync(file, "utf8").trim() === version;
}

async function build() {
  const folder = mkdtempSync(join(tmpdir(), "retrain-template-"));
  try {
    const cluster = join(folder, "cluster");
    const database = await PGlite.create({ fs: new NodeFS(cluster) });
    // Closing writes the shutdown checkpoint: a cluster without one replays its log at the first start.
    await database.close();
    writeFileSync(join(output, PACK), gzipSync(tarOf(cluster), { level: 9 }));
    writeFileSync(join(output, VERSION), `${version}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The plain cluster with every table in it and no row that would belong to a server. */
async function buildReady() {
  const from = (path) => import(pathToFileURL(join(SERVER, path)).href);
  const { systemClock, silentLogger } = await from("core/index.js");
  const { openDatabase } = await from("storage/pool.js");
  const { dropSpareDatabases } = await from("storage/pglite/spare-databases.js");
  const { migrate } = await from("storage/migrations.js");
  const { createDbosEngine } = await from("engine/index.js");
  const folder = mkdtempSync(join(tmpdir(), "retrain-template-"));
  const ready = join(output, "ready");
  try {
    const database = await openDatabase({ directory: folder, systemClock, template: output });
    await dropSpareDatabases(database);
    await migrate(database);
    const engine = createDbosEngine({
      pool: database.pool,
      systemClock,
      logger: silentLogger,
      executorId: "template",
      applicationVersion: "template",
    });
    await engine.start();
    await engine.stop();
    const { rows } = await database.query("select tablename from pg_tables where schemaname = 'dbos'");
    for (const { tablename } of rows) {
      if (tablename !== "dbos_migrations") await database.query(`delete from dbos."${tablename}"`);
    }
    await database.query("delete from retrain_engine.worker");
    await database.close();
    mkdirSync(ready, { recursive: true });
    writeFileSync(join(ready, PACK), gzipSync(tarOf(join(folder, "database")), { level: 9 }));
    writeFileSync(join(ready, VERSION), `${version}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A tar of plain files and folders (ustar), with neither owners nor times: equal clusters give equal packs. */
function tarOf(folder) {
  const blocks = [];
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  const paths = entries.map((entry) => ({ entry, path: join(entry.parentPath ?? entry.path, entry.name) }));
  for (const { entry, path } of paths.sort((left, right) => (left.path < right.path ? -1 : 1))) {
    const name = relative(folder, path).replaceAll("\\", "/");
    const content = entry.isDirectory() ? Buffer.alloc(0) : readFileSync(path);
    blocks.push(header(name, content.length, entry.isDirectory()), content);
    blocks.push(Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function header(name, size, isFolder) {
  if (Buffer.byteLength(name) > 100) throw new Error(`The name ${name} is too long for a plain tar.`);
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write(isFolder ? "0000700\0" : "0000600\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write("        ", 148);
  block.write(isFolder ? "5" : "0", 156);
  block.write("ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
