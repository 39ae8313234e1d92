// Loaded before everything else by the processes of the faults suite and by all they start.
//
// V8 compiles WebAssembly fast at first, and again, slowly and well, what has done some work. The embedded database earns
// that within its first second: half the processor time of a process that lives for two went into code that died with it.
// The budget is what a function may do before it is compiled again, in V8's "rough approximation of bytes executed": more
// than a start and a few hundred statements come to. Processes that live longer gain nothing, so other suites go without.
require("node:v8").setFlagsFromString("--wasm-tiering-budget=1000000000");
