// The floor of predict.bench.ts: a bare node:http server that answers a constant. A process of its own: in that of the
// server it was measured together with the work that one does in the background, up to four times itself.
import { createServer } from "node:http";

const body = Buffer.from('{"score":0.5}');
const server = createServer((incoming, response) => {
  incoming
    .on("data", () => {})
    .on("end", () => {
      response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
      response.end(body);
    });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.send?.(typeof address === "object" && address !== null ? address.port : 0);
});
/** Every message is the question for the CPU seconds used so far. */
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.((user + system) / 1e6);
});
process.on("disconnect", () => process.exit(0));
