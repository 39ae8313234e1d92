/** Colors of charts in both schemes: Okabe and Ito's palette (2008), ordered by contrast to the ground, each with a dash and a symbol. */
export interface Ink {
  readonly dark: boolean;
  readonly text: string;
  readonly dim: string;
  readonly grid: string;
  readonly surface: string;
  readonly band: string;
  readonly shade: string;
  readonly series: readonly string[];
  readonly good: string;
  readonly bad: string;
  readonly warn: string;
  readonly info: string;
}

const BLUE = "#0072b2";
const SKY = "#56b4e9";
const GREEN = "#009e73";
const VERMILLION = "#d55e00";
const ORANGE = "#e69f00";
const PURPLE = "#cc79a7";
const YELLOW = "#f0e442";

const LIGHT: Ink = {
  dark: false,
  text: "#22262a",
  dim: "#5a6169",
  grid: "#e6e8ea",
  surface: "#ffffff",
  band: "rgba(90, 97, 105, 0.13)",
  shade: "rgba(90, 97, 105, 0.08)",
  series: [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, "#22262a"],
  good: GREEN,
  bad: VERMILLION,
  warn: ORANGE,
  info: BLUE,
};
const DARK: Ink = {
  dark: true,
  text: "#e4e6e8",
  dim: "#a4abb3",
  grid: "#2f343a",
  surface: "#1b1e22",
  band: "rgba(164, 171, 179, 0.16)",
  shade: "rgba(164, 171, 179, 0.09)",
  series: [SKY, ORANGE, GREEN, PURPLE, VERMILLION, YELLOW, "#e4e6e8"],
  good: "#1fc295",
  bad: "#ff8a3d",
  warn: ORANGE,
  info: SKY,
};

export const inkOf = (scheme: "light" | "dark"): Ink => (scheme === "dark" ? DARK : LIGHT);

const DASHES = ["solid", [7, 3], [2, 3], [9, 3, 2, 3]] as const;
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "emptyCircle"] as const;

/** The look of the nth of several lines: color, dash and symbol change at different paces, so 140 lines differ. */
export function lineLook(ink: Ink, index: number) {
  return {
    color: ink.series[index % ink.series.length] ?? ink.text,
    dash: [...DASHES][index % DASHES.length] as "solid" | number[],
    symbol: SYMBOLS[index % SYMBOLS.length] ?? "circle",
  };
}
