import { createTheme, localStorageColorSchemeManager, type CSSVariablesResolver } from "@mantine/core";

/** Ten shades around Okabe and Ito's blue; white text on shade 7 has a contrast of 5.2. */
const BLUE = [
  "#e8f4fb",
  "#cfe7f5",
  "#a0cfeb",
  "#6db5e0",
  "#56b4e9",
  "#2492d2",
  "#0f80c0",
  "#0072b2",
  "#00629a",
  "#005080",
] as const;

/** Surfaces of the dark scheme, a little blue like our own in base.css. */
const DARK = [
  "#e4e6e8",
  "#c3c8cd",
  "#a4abb3",
  "#7b838c",
  "#454c54",
  "#33383e",
  "#24282d",
  "#1b1e22",
  "#15181b",
  "#101214",
] as const;

export const theme = createTheme({
  primaryColor: "blue",
  primaryShade: 7,
  colors: { blue: BLUE, dark: DARK },
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, monospace",
  defaultRadius: "sm",
  cursorType: "pointer",
  respectReducedMotion: true,
});

/** Mantine's own dimmed text misses a contrast of 4.5. The rest ties its surfaces to ours in app.css. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-body": "#f7f8f9",
    "--mantine-color-text": "#22262a",
    "--mantine-color-dimmed": "#5a6169",
    "--mantine-color-placeholder": "#6b737b",
    "--mantine-color-default": "#ffffff",
  },
  dark: {
    "--mantine-color-body": "#131518",
    "--mantine-color-text": "#e4e6e8",
    "--mantine-color-dimmed": "#a4abb3",
    "--mantine-color-placeholder": "#8d959d",
    "--mantine-color-default": "#24282d",
    "--mantine-color-default-border": "#3b4148",
  },
});

/** The same key is read by public/color-scheme.js. */
export const colorSchemeManager = localStorageColorSchemeManager({ key: "retrain-color-scheme" });
