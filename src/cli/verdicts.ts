/** Verdicts of drift as a terminal shows them. */
import { colors } from "./output.ts";

export const VERDICTS = {
  drift: colors.red("drift"),
  "no-drift": colors.green("no drift"),
  "cannot-tell": colors.yellow("cannot tell"),
};
