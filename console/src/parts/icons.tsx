/** Small drawings. Shapes tell states apart where color cannot; all take the color of the text around them. */
import type { ReactNode } from "react";

const SHAPES = {
  check: <path d="M3 8.5 6.5 12 13 4.5" fill="none" />,
  cross: <path d="M4 4l8 8M12 4l-8 8" fill="none" />,
  pause: <path d="M5.5 4v8M10.5 4v8" fill="none" />,
  play: <path d="M5 3.5v9l7.5-4.5z" fill="currentColor" />,
  square: <rect x="4" y="4" width="8" height="8" fill="currentColor" />,
  ring: <circle cx="8" cy="8" r="5" fill="none" />,
  half: (
    <>
      <circle cx="8" cy="8" r="5" fill="none" />
      <path d="M8 3a5 5 0 0 1 0 10z" fill="currentColor" stroke="none" />
    </>
  ),
  up: <path d="M8 3.5 13 12H3z" fill="currentColor" />,
  down: <path d="M8 12.5 3 4h10z" fill="currentColor" />,
  diamond: <path d="M8 2.5 13.5 8 8 13.5 2.5 8z" fill="currentColor" />,
  question: <path d="M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.7.4-1.1.8-1.1 1.6M8 12.4v.2" fill="none" />,
  exclamation: <path d="M8 2.5v7M8 13v.3" fill="none" />,
  ban: (
    <>
      <circle cx="8" cy="8" r="5.2" fill="none" />
      <path d="M4.4 11.6l7.2-7.2" fill="none" />
    </>
  ),
  dash: <path d="M4 8h8" fill="none" />,
  bell: <path d="M4 11V7.5a4 4 0 0 1 8 0V11l1 1H3zM7 13.6h2" fill="none" />,
  sun: (
    <>
      <circle cx="8" cy="8" r="3" fill="none" />
      <path d="M8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1" fill="none" />
    </>
  ),
  moon: <path d="M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5z" fill="none" />,
  copy: <path d="M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1" fill="none" />,
  grid: <path d="M2.5 3h11v10h-11zM2.5 6.5h11M6.5 3v10" fill="none" />,
  download: <path d="M8 2.5v8M4.8 7.5 8 10.7l3.2-3.2M3 13.5h10" fill="none" />,
  home: <path d="M2.5 7.5 8 3l5.5 4.5M4 6.8V13h8V6.8" fill="none" />,
  search: <path d="M10.5 10.5 14 14M7 3a4 4 0 1 0 0 8 4 4 0 0 0 0-8z" fill="none" />,
  list: <path d="M3 4h10M3 8h10M3 12h10" fill="none" />,
  scale: <path d="M8 2.5v11M3 5h10M3 5 1.5 9.5h3zM13 5l-1.5 4.5h3zM5 13.5h6" fill="none" />,
  model: <path d="M8 2 13.5 5v6L8 14 2.5 11V5zM2.5 5 8 8l5.5-3M8 8v6" fill="none" />,
} as const satisfies Readonly<Record<string, ReactNode>>;

export type IconName = keyof typeof SHAPES;

export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {SHAPES[name]}
    </svg>
  );
}
