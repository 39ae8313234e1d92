interface SegmentsProps<T extends string> {
  readonly label: string;
  readonly options: readonly (readonly [value: T, text: string])[];
  readonly value: T;
  readonly onChange: (value: T) => void;
  /** Shows the label above; otherwise only readers hear it. */
  readonly withLabel?: boolean;
}

/** A few choices side by side, of which one holds. */
export function Segments<T extends string>({ label, options, value, onChange, withLabel = false }: SegmentsProps<T>) {
  return (
    <div>
      {withLabel ? (
        <div className="filter-label" aria-hidden="true">
          {label}
        </div>
      ) : null}
      <div className="segments" role="group" aria-label={label}>
        {options.map(([one, text]) => (
          <button key={one} type="button" aria-pressed={one === value} onClick={() => onChange(one)}>
            {text}
          </button>
        ))}
      </div>
    </div>
  );
}
