/**
 * What the operating system knows of a child and its own children: resident memory, priority, killing.
 *
 * Memory is limited by sampling resident pages from outside. Address-space limits would kill V8 and wasm, which reserve far more
 * than they use, and `--max-old-space-size` does not see typed arrays. Between two samples a child can pass the limit; the
 * operating system's own killer remains behind it.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import process from "node:process";

/** Niceness of training: serving in the same machine gets the processor first, and training takes what is left. */
const NICENESS = 10;

/** Resident bytes of the process and its descendants, or 0 when it is gone. Linux: a few small reads; elsewhere one `ps`. */
export async function residentBytes(pid: number): Promise<number> {
  if (process.platform === "linux") return linuxTreeBytes(pid);
  return portableGroupBytes(pid);
}

function linuxTreeBytes(pid: number): number {
  let total = 0;
  const pending = [pid];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    try {
      const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${next}/status`, "latin1"))?.[1];
      total += Number(kilobytes ?? 0) * 1024;
      // Node and most programs start processes from their main thread; a kernel without this file shows the child alone.
      const children = readFileSync(`/proc/${next}/task/${next}/children`, "latin1").trim();
      if (children !== "") pending.push(...children.split(" ").map(Number));
    } catch {
      // The process ended between listing and reading.
    }
  }
  return total;
}

function portableGroupBytes(group: number): Promise<number> {
  return new Promise((resolve) => {
    execFile("ps", ["-A", "-o", "pgid=,rss="], (error, stdout) => {
      if (error) return resolve(0);
      let total = 0;
      for (const line of stdout.split("\n")) {
        const [pgid, kilobytes] = line.trim().split(/\s+/).map(Number);
        if (pgid === group) total += (kilobytes ?? 0) * 1024;
      }
      resolve(total);
    });
  });
}

/** Lowers the priority of every thread. Best effort: a container may forbid it, and training then competes with serving. */
export function lowerPriority(pid: number): void {
  const set = (id: number) => {
    try {
      setPriority(id, NICENESS);
    } catch {
      // Ended, or not permitted.
    }
  };
  set(pid);
  if (process.platform !== "linux") return;
  try {
    // On Linux niceness belongs to a thread, and V8's helper threads exist before we are told the id.
    for (const thread of readdirSync(`/proc/${pid}/task`)) set(Number(thread));
    // A process group of its own is also a scheduling group of its own, inside which niceness is relative only to itself.
    writeFileSync(`/proc/${pid}/autogroup`, String(NICENESS));
  } catch {
    // No autogroup in this kernel.
  }
}

/** Kills the process and everything in its group, so that an external trainer dies with the child that started it. */
export function killGroup(pid: number): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, "SIGKILL");
    } catch {
      // Already gone.
    }
  }
}
