/** Which part of a wide feature a plain column stands for. */
export interface WidePart {
  /** The wide feature. */
  readonly of: string;
  readonly kind: "text" | "vector" | "image";
  /** Numbers per row; 0 for texts. */
  readonly size: number;
  readonly part: "length" | "word" | "norm" | `direction ${number}`;
}
