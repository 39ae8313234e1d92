/**
 * Named stop points between writes. The fault tests set `RETRAIN_STOP_AT` to one of them; the process then kills itself there,
 * as a power cut would, and the restarted one must show the records of an undisturbed run. Unset, a stop point costs one
 * comparison.
 */
const wanted = process.env.RETRAIN_STOP_AT;

/** Kills this process with SIGKILL when the named point is the wanted one. */
export function stopPoint(name: string): void {
  if (wanted === undefined || wanted !== name) return;
  process.stderr.write(`stop point ${name}\n`);
  process.kill(process.pid, "SIGKILL");
}
