/** A row on its way in. */

/** One row as a reader found it: an object, or the reason why it is none. */
export type RowReading =
  | {
      readonly rowNumber: number;
      readonly row: Readonly<Record<string, unknown>>;
      readonly text?: boolean;
      readonly raw?: string;
    }
  | {
      readonly rowNumber: number;
      readonly problem: { readonly code: string; readonly message: string };
      readonly raw: string;
    };
