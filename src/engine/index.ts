/** Durable execution and killable child processes. Imported by the composition roots and tests alone. */
export { createJobPool, type JobPoolOptions } from "./children/pool.ts";
export { createModelHost, type ModelHostOptions } from "./model-host.ts";
export { createDbosEngine, type DbosEngineOptions } from "./dbos.ts";
export { loadEngine } from "./dbos-library.ts";
export {
  createVirtualEngine,
  createVirtualMemory,
  type VirtualEngine,
  type VirtualEngineOptions,
  type VirtualMemory,
} from "./virtual.ts";
