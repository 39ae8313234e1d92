/** The pieces pages are made of: a heading with actions, sections, tables that scroll sideways, facts in two columns. */
import { type ReactNode, useEffect, useId } from "react";

export function PageHeading(props: {
  readonly title: string;
  readonly lead?: ReactNode;
  readonly actions?: ReactNode;
  /** What the tab of the browser says; default: the title. */
  readonly documentTitle?: string;
}) {
  const { title, lead, actions, documentTitle = title } = props;
  useEffect(() => {
    document.title = `${documentTitle} · Retrain`;
  }, [documentTitle]);
  return (
    <header className="page-heading">
      <div className="page-heading-text">
        <h1>{title}</h1>
        {lead === undefined ? null : <p className="lead">{lead}</p>}
      </div>
      {actions === undefined ? null : <div className="actions">{actions}</div>}
    </header>
  );
}

export function Section(props: {
  readonly title: string;
  readonly lead?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}) {
  const id = useId();
  return (
    <section className="section" aria-labelledby={id}>
      <div className="section-heading">
        <h2 id={id}>{props.title}</h2>
        {props.actions === undefined ? null : <div className="actions">{props.actions}</div>}
      </div>
      {props.lead === undefined ? null : <p className="dimmed section-lead">{props.lead}</p>}
      {props.children}
    </section>
  );
}

/** A table in a region that scrolls sideways and can be reached by keyboard. */
export function DataTable(props: {
  readonly label: string;
  readonly head: readonly ReactNode[];
  /** Columns whose cells stand right, by index. */
  readonly numeric?: readonly number[];
  readonly children: ReactNode;
}) {
  const numeric = new Set(props.numeric);
  return (
    // A scrolling region must take the focus, or keyboards cannot scroll it.
    // oxlint-disable-next-line no-noninteractive-tabindex
    <div className="table-region" role="region" aria-label={props.label} tabIndex={0}>
      <table className="table">
        <thead>
          <tr>
            {props.head.map((name, column) => (
              <th key={column} scope="col" className={numeric.has(column) ? "right" : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  );
}

export function Facts({ items }: { readonly items: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className="facts">
      {items.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
