/** What a started program may see of our environment: what every program needs, and the names it was granted. */

/** What programs need to find their tools, temporary folder, language and time zone data. */
export const BASE_ENVIRONMENT = [
  "PATH",
  "HOME",
  "USER",
  "TMPDIR",
  "TEMP",
  "TMP",
  "LANG",
  "LC_ALL",
  "TZ",
  "SYSTEMROOT",
  "VIRTUAL_ENV",
  "LD_LIBRARY_PATH",
] as const;

export function allowedEnvironment(names: readonly string[]): Record<string, string> {
  const allowed: Record<string, string> = {};
  for (const name of [...BASE_ENVIRONMENT, ...names]) {
    const value = process.env[name];
    if (value !== undefined) allowed[name] = value;
  }
  return allowed;
}
