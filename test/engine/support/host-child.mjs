// Stands in for the process of a model: the first byte of the "file" says how it behaves.
let behavior = "";
process.on("message", ({ id, kind, model, feeds, output }) => {
  if (kind === "open") {
    behavior = new TextDecoder().decode(model);
    if (behavior === "bad file")
      return process.send({ id, error: { code: "INTERNAL", message: "bad magic", remedy: "" } });
    if (behavior === "slow load") return;
    return process.send({ id, data: [] });
  }
  if (output === "hang") for (;;);
  if (output === "crash") process.kill(process.pid, "SIGSEGV");
  if (output === "grow") {
    globalThis.kept = Array.from({ length: 40 }, () => new Uint8Array(10_000_000).fill(1));
    return;
  }
  if (output === "refuse")
    return process.send({ id, error: { code: "INTERNAL", message: "Got invalid dimensions", remedy: "" } });
  process.send({ id, data: [process.pid, feeds.length] });
});
process.once("disconnect", () => process.exit(0));
