/** Row types of every table, for Kysely. Each table group adds its own interface here. */
export interface Tables {}
