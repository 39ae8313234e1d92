// Loaded before everything else by the processes of the faults suite and by all they start.
//
// V8 compiles code fast at first, and again, slowly and well, what has done some work. The embedded database and the file system
// below it earn that within their first second: half the processor time of a process that lives for two went into code that died
// with it. The budgets are what a function may do before it is compiled again, in V8's rough approximations of bytes executed:
// more than a start and a few hundred statements come to. Processes that live longer gain nothing, so other suites go without.
const { setFlagsFromString } = require("node:v8");

setFlagsFromString("--wasm-tiering-budget=1000000000");
setFlagsFromString("--interrupt-budget=1000000");
