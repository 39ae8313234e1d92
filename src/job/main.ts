/** The training process: started by the job pool before there is work, so that DuckDB is loaded when the first job comes. */
import { serveJobs } from "../core/job-child.ts";
import { openDuckDb } from "./dataset-file.ts";
import { JOB_HANDLERS } from "./handlers.ts";

serveJobs(JOB_HANDLERS);
// A failure to load is reported by the first job that needs it, with its reason.
openDuckDb().catch(() => {});
