/**
 * A count with its noun, the number grouped by thousands: `1 row`, `1,000 rows`.
 * @param one what follows the number 1; it may reach past the noun, where a verb goes with it: `"row is"`
 * @param many what follows every other number, zero included: `"rows are"`
 */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}
