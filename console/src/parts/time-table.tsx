/** A table of small cells: names down, time across. */
import type { ReactNode } from "react";
import "../css/time-table.css";

interface Column {
  readonly key: number;
  /** Shown above it; null where there is no room. */
  readonly label: string | null;
  /** What a screen reader says of it. */
  readonly words: string;
}

/** @param props `children`: its rows */
export function TimeTable(props: {
  readonly label: string;
  readonly className: string;
  /** What the names are. */
  readonly names: string;
  readonly columns: readonly Column[];
  readonly children: ReactNode;
}) {
  return (
    // A scrolling region must take the focus, or keyboards cannot scroll it.
    // oxlint-disable-next-line no-noninteractive-tabindex
    <div className="table-region" role="region" aria-label={props.label} tabIndex={0}>
      <table className={`time-table ${props.className}`}>
        <thead>
          <tr>
            <th scope="col">{props.names}</th>
            {props.columns.map(({ key, label, words }) => (
              <th scope="col" key={key} className="time-table-time">
                {label}
                <span className="sr-only">{words}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  );
}
